package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
)

// mostKL is how far, in nats on average, a quantised format may be from the F32 run of the weights that it stands for. What is lost is in the rounding of
// activations to 8 bits, whatever the format of the weights: 28 layers of random weights, which amplify it, come near to the limit, trained ones to a fiftieth.
const mostKL = 1e-3

// textLogits runs texts one after the other and returns the logits behind all of their tokens.
func textLogits(t *testing.T, m *Model, kv string, texts [][]int32) (all []float32) {
	t.Helper()
	for _, tokens := range texts {
		all = append(all, logitsWith(t, m, tokens, kv)...)
	}
	return all
}

// dumpLogits writes texts and the logits behind their tokens under a model that is widened and one that is not, for bench/peer_quantised.py: NAME.json,
// NAME.widened and NAME.quantised in the folder that RETORT_LOGITS names, if it does.
func dumpLogits(t *testing.T, name, file string, texts [][]int32, widened, quantised []float32) {
	t.Helper()
	folder := os.Getenv("RETORT_LOGITS")
	if folder == "" {
		return
	}
	index, err := json.Marshal(map[string]any{"file": file, "texts": texts, "vocabulary": len(widened) / (len(texts) * len(texts[0]))})
	if err != nil {
		t.Fatal(err)
	}
	for ending, data := range map[string][]byte{".json": index, ".widened": floatBytes(widened), ".quantised": floatBytes(quantised)} {
		if err := os.WriteFile(filepath.Join(folder, name+ending), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func floatBytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// logKV logs what keys and values of 16 bits cost a model, whose logits are want over float32. It returns the mean divergences.
func logKV(t *testing.T, m *Model, texts [][]int32, want []float32) (bf16, f16 float64) {
	t.Helper()
	bf16 = meanKL(want, textLogits(t, m, KVBF16, texts), m.config.VocabSize)
	f16 = meanKL(want, textLogits(t, m, KVF16, texts), m.config.VocabSize)
	return bf16, f16
}

// TestQuantisedFileIsNearWidened compares the distributions of 512 positions of random tokens under the file that RETORT_QUANTISED_MODEL names, opened both
// ways. It takes the memory of the widened model, 8 bytes a weight: 14 GB for a model of 1.78 billion parameters.
//
// It also shows where the divergence comes from that keys and values of 16 bits cause: under weights that are computed in float32 it is that of their
// rounding, under quantised ones that of activations of 8 bits, of which any change turns some over.
func TestQuantisedFileIsNearWidened(t *testing.T) {
	path := os.Getenv("RETORT_QUANTISED_MODEL")
	if path == "" {
		t.Skip("not run: RETORT_QUANTISED_MODEL does not name a GGUF file")
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary := m.config.VocabSize
	texts := [][]int32{packedBatch(vocabulary, 9, 512).Tokens}
	want := textLogits(t, m, KVF32, texts)
	bf16, f16 := 0.0, 0.0
	if os.Getenv("RETORT_QUANTISED_KV") != "" {
		bf16, f16 = logKV(t, m, texts, want)
		t.Logf("widened: KL of keys and values in BF16 %.3g, F16 %.3g", bf16, f16)
	}
	if m, err = OpenQuantised(path); err != nil { // the widened one goes
		t.Fatal(err)
	}
	got := textLogits(t, m, KVF32, texts)
	dumpLogits(t, strings.TrimSuffix(filepath.Base(path), ".gguf"), path, texts, want, got)
	var each []float64
	for at := 0; at < len(want); at += vocabulary {
		each = append(each, meanKL(want[at:at+vocabulary], got[at:at+vocabulary], vocabulary))
	}
	kl, squares := meanKL(want, got, vocabulary), 0.0
	for _, x := range each {
		squares += (x - kl) * (x - kl) / float64(len(each))
	}
	slices.Sort(each)
	t.Logf("%s: mean KL over %d positions: %.3g ± %.1g, median %.3g, largest %.3g", filepath.Base(path), len(each), kl, math.Sqrt(squares/float64(len(each))), each[len(each)/2], each[len(each)-1])
	if !(kl <= mostKL) {
		t.Errorf("mean KL %.3g, want at most %.3g", kl, mostKL)
	}
	if os.Getenv("RETORT_QUANTISED_KV") == "" {
		return
	}
	qbf16, qf16 := logKV(t, m, texts, got)
	t.Logf("quantised: KL of keys and values in BF16 %.3g, F16 %.3g", qbf16, qf16)
	if bf16 > qbf16/10 || f16 > qf16/100 {
		t.Error("keys and values of 16 bits cost as much where nothing is rounded to 8 bits")
	}
}

// TestQuantisedTrainedIsNearWidened compares the distributions of 512 positions of a trained model's own texts, for each format with all matrices in it. The
// folder that RETORT_TRAINED_MODEL names holds the model, of the lab's vocabulary and with rows of whole super-blocks: bench/quantised_kl.sh trains one.
func TestQuantisedTrainedIsNearWidened(t *testing.T) {
	folder := os.Getenv("RETORT_TRAINED_MODEL")
	if folder == "" {
		t.Skip("not run: RETORT_TRAINED_MODEL does not name a folder")
	}
	m, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	start := tokenizer.Lab().Encode("<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n")
	var texts [][]int32
	for i := range uint64(8) {
		texts = append(texts, ownText(t, m, 64, i, start...))
	}
	trained := textLogits(t, m, KVF32, texts)
	for _, f := range blockFormats() {
		widened, quantised := quantisedTwins(t, m, func(string) tensor.Format { return f })
		want, got := textLogits(t, widened, KVF32, texts), textLogits(t, quantised, KVF32, texts)
		if kept := os.Getenv("RETORT_LOGITS"); kept != "" {
			file := filepath.Join(kept, "trained-"+f.String()+".gguf")
			if err := writeMixed(m, file, func(string) tensor.Format { return f }); err != nil {
				t.Fatal(err)
			}
			dumpLogits(t, "trained-"+f.String(), file, texts, want, got)
		}
		kl := meanKL(want, got, m.config.VocabSize)
		bf16, f16 := logKV(t, quantised, texts, got)
		fbf16, ff16 := logKV(t, widened, texts, want)
		t.Logf("%-7s KL from widened %.2g; widened from trained %.2g; KV in BF16, F16: quantised %.2g, %.2g, widened %.2g, %.2g",
			f, kl, meanKL(trained, want, m.config.VocabSize), bf16, f16, fbf16, ff16)
		if !(kl <= mostKL) || slices.Equal(want, got) {
			t.Errorf("%s: mean KL %.3g, want at most %.0e and more than none", f, kl, mostKL)
		}
	}
}
