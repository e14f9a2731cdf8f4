package tokenizer

import "slices"

// matcher finds the longest of a set of strings at the beginning of a text. It is a trie whose edges lie in one array,
// those of a node side by side and ascending by byte; the root, which is asked at every byte, has a table.
type matcher struct {
	root  [256]int32 // node + 1 for each first byte, 0 for none
	nodes []matcherNode
	edges []matcherEdge
}

type matcherNode struct {
	id                  int32 // of the string that ends here, -1 for none
	firstEdge, numEdges int32
}

type matcherEdge struct {
	label byte
	node  int32
}

// newMatcher returns a matcher for distinct non-empty texts; texts[i] has the id firstID+i.
func newMatcher(texts []string, firstID int32) matcher {
	order := make([]int32, len(texts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case texts[a] < texts[b]:
			return -1
		case texts[a] > texts[b]:
			return 1
		}
		return 0
	})
	var m matcher
	for from := 0; from < len(order); {
		first := texts[order[from]][0]
		to := from
		for to < len(order) && texts[order[to]][0] == first {
			to++
		}
		m.root[first] = m.build(texts, order[from:to], 1, firstID) + 1
		from = to
	}
	return m
}

// build adds the node of the texts order, sorted, which share their first depth bytes, and returns its index.
func (m *matcher) build(texts []string, order []int32, depth int, firstID int32) int32 {
	node := int32(len(m.nodes))
	m.nodes = append(m.nodes, matcherNode{id: -1})
	if len(texts[order[0]]) == depth {
		m.nodes[node].id = firstID + order[0]
		order = order[1:]
	}
	var edges []matcherEdge
	for from := 0; from < len(order); {
		label := texts[order[from]][depth]
		to := from
		for to < len(order) && texts[order[to]][depth] == label {
			to++
		}
		edges = append(edges, matcherEdge{label, m.build(texts, order[from:to], depth+1, firstID)})
		from = to
	}
	m.nodes[node].firstEdge, m.nodes[node].numEdges = int32(len(m.edges)), int32(len(edges))
	m.edges = append(m.edges, edges...)
	return node
}

// longest returns the id and the length of the longest string of the set that text, which is not empty, begins with; length 0 for none.
func (m *matcher) longest(text string) (id int32, length int) {
	at := m.root[text[0]] - 1
	if at < 0 {
		return 0, 0
	}
	for depth := 1; ; depth++ {
		node := &m.nodes[at]
		if node.id >= 0 {
			id, length = node.id, depth
		}
		if depth == len(text) {
			return id, length
		}
		at = -1
		for _, edge := range m.edges[node.firstEdge : node.firstEdge+node.numEdges] {
			if edge.label == text[depth] {
				at = edge.node
				break
			}
		}
		if at < 0 {
			return id, length
		}
	}
}
