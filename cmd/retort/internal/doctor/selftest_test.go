package doctor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/tinymodel"
)

func TestSelfTest(t *testing.T) {
	got := Test()
	if tinymodel.Present() && len(stored) == 0 {
		numbers, err := answer()
		t.Log(err, strings.ReplaceAll(fmt.Sprintf("%.6f", numbers), " ", ", "))
	}
	if got.Fault != "" || tinymodel.Present() && got.Distance < 0 {
		t.Errorf("got %+v", got)
	}
	t.Logf("%+v", got)
}
