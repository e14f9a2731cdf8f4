package hub

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// File is a file of a repository.
type File struct {
	Path   string // with slashes, below the repository
	Size   int64  // bytes
	SHA256 string // of a large file, as the hub knows it; else ""
	GitSHA string // of a small file, as the hub knows it; else ""
}

// variant is one model of a repository: a GGUF file or the parts of one, or all
// of its safetensors files.
type variant struct {
	quant string // of a GGUF model, "" if its name tells none; else safetensors
	main  string // the file to open, or "" for the folder
	files []File // with those that it is read with
	lacks string // what is missing, "" if it is complete
}

var (
	partName  = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.(gguf|safetensors)$`)
	quantName = regexp.MustCompile(`(?i)(?:^|[-._])((?:UD-)?I?T?Q\d[A-Z0-9_]*|BF16|F16|FP16|F32|MXFP4(?:_MOE)?)$`)
)

// beside lists what a safetensors model is read with.
var beside = []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"}

// variants finds the models among a repository's files, in the order of preference.
func variants(files []File) []variant {
	groups := map[string]*variant{}
	counts := map[string]int{}
	for _, f := range files {
		base := path.Base(f.Path)
		stem, isGGUF := strings.CutSuffix(f.Path, ".gguf")
		if !isGGUF || strings.HasPrefix(base, "mmproj") || strings.Contains(base, "imatrix") || strings.HasPrefix(base, ".") {
			continue
		}
		if m := partName.FindStringSubmatch(f.Path); m != nil {
			stem = m[1]
			counts[stem], _ = strconv.Atoi(m[3]) // five digits
		}
		v := groups[stem]
		if v == nil {
			v = &variant{}
			groups[stem] = v
			if m := quantName.FindStringSubmatch(path.Base(stem)); m != nil {
				v.quant = strings.ToUpper(m[1])
			}
		}
		v.files = append(v.files, f)
	}
	list := safetensorsOf(files)
	var quantized []variant
	for stem, v := range groups {
		slices.SortFunc(v.files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
		v.main = v.files[0].Path
		if n := counts[stem]; n != 0 && len(v.files) != n {
			v.lacks = fmt.Sprintf("%d of %d parts", n-len(v.files), n)
		}
		quantized = append(quantized, *v)
	}
	slices.SortFunc(quantized, func(a, b variant) int {
		return cmp.Or(cmp.Compare(preference(a.quant), preference(b.quant)), cmp.Compare(a.main, b.main))
	})
	return append(list, quantized...)
}

// preference orders the formats of GGUF files when none is asked for: 4 bits
// first, then what is larger, then the rest.
func preference(quant string) int {
	order := []string{"Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0"}
	if i := slices.Index(order, quant); i >= 0 {
		return i
	}
	return len(order)
}

// safetensorsOf returns the safetensors model at the top of a repository, if there is one.
func safetensorsOf(files []File) []variant {
	at := map[string]File{}
	for _, f := range files {
		at[f.Path] = f
	}
	v := variant{quant: quantSafetensors}
	if f, ok := at["model.safetensors"]; ok {
		v.files = append(v.files, f)
	} else {
		parts, wanted := 0, 0
		for _, f := range files {
			if m := partName.FindStringSubmatch(f.Path); m != nil && m[1] == "model" && m[4] == "safetensors" {
				v.files = append(v.files, f)
				parts++
				wanted, _ = strconv.Atoi(m[3])
			}
		}
		if parts == 0 {
			return nil
		}
		if parts != wanted {
			v.lacks = fmt.Sprintf("%d of %d parts", wanted-parts, wanted)
		}
		index, ok := at["model.safetensors.index.json"]
		if !ok {
			v.lacks = "model.safetensors.index.json"
		}
		v.files = append(v.files, index)
	}
	if _, ok := at[beside[0]]; !ok {
		v.lacks = beside[0]
	}
	for _, name := range beside {
		if f, ok := at[name]; ok {
			v.files = append(v.files, f)
		}
	}
	slices.SortFunc(v.files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return []variant{v}
}

// choose returns the variant of a format; "" is the preferred one.
func choose(files []File, quant string) (variant, error) {
	list := variants(files)
	var names []string
	for _, v := range list {
		if quant == "" || strings.EqualFold(v.quant, quant) {
			return v, nil
		}
		if v.quant != "" && !slices.Contains(names, v.quant) {
			names = append(names, v.quant)
		}
	}
	if len(list) == 0 {
		return variant{}, fmt.Errorf("it holds neither a GGUF file nor safetensors with a config.json")
	}
	return variant{}, fmt.Errorf("it has no %s, but %s", quant, strings.Join(names, ", "))
}
