package vector

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slow is the sum of a node as text: half the tree and the other half, where there is one.
func slow(begin, width, shards int) string {
	switch {
	case width == 1:
		return fmt.Sprint(begin)
	case begin+width/2 >= shards:
		return slow(begin, width/2, shards)
	}
	return "(" + slow(begin, width/2, shards) + "+" + slow(begin+width/2, width/2, shards) + ")"
}

// width is the least power of two that is no less than n.
func width(n int) int {
	w := 1
	for w < n {
		w *= 2
	}
	return w
}

func TestTheTreeOfAFewShards(t *testing.T) {
	for shards, want := range map[int]string{1: "0", 2: "(0+1)", 3: "((0+1)+2)", 4: "((0+1)+(2+3))",
		5: "(((0+1)+(2+3))+4)", 6: "(((0+1)+(2+3))+(4+5))", 7: "(((0+1)+(2+3))+((4+5)+6))",
		8: "(((0+1)+(2+3))+((4+5)+(6+7)))"} {
		if got := slow(0, width(shards), shards); got != want {
			t.Errorf("%d shards: got %s, want %s", shards, got, want)
		}
	}
}

// texts are sums as they are written down.
type texts struct {
	tree  Tree
	nodes []Node
	says  []string
}

// join is AddTree, on texts.
func (x *texts) join() {
	for i := 0; i+1 < len(x.nodes); {
		n, ok := x.tree.Join(x.nodes[i], x.nodes[i+1])
		if !ok {
			i++
			continue
		}
		x.says[i] = "(" + x.says[i] + "+" + x.says[i+1] + ")"
		x.nodes[i] = n
		x.nodes, x.says = slices.Delete(x.nodes, i+1, i+2), slices.Delete(x.says, i+1, i+2)
		i = 0
	}
}

// TestNodesOfAnyCutsMakeTheTree: whoever holds which shards, each adds them up to its nodes, in whatever pieces, and
// the nodes of all are added to the one sum there is.
func TestNodesOfAnyCutsMakeTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 200).Draw(t, "shards")
		tree := Tree(shards)
		all := texts{tree: tree}
		for begin := 0; begin < shards; {
			end := rapid.IntRange(begin+1, min(shards, begin+40)).Draw(t, "end")
			own := texts{tree: tree, nodes: Leaves(begin, end)}
			for v := begin; v < end; v++ {
				own.says = append(own.says, fmt.Sprint(v))
			}
			own.join()
			if nodes := tree.Nodes(begin, end); !slices.Equal(nodes, own.nodes) {
				t.Fatalf("shards %d to %d of %d: nodes %v, adding makes %v", begin, end, shards, nodes, own.nodes)
			}
			for i, n := range own.nodes {
				if want := slow(n.Begin, width(n.End-n.Begin), n.End); own.says[i] != want {
					t.Fatalf("node %v of %d: got %s, want %s", n, shards, own.says[i], want)
				}
			}
			if most := 2 * len(fmt.Sprintf("%b", shards)); len(own.nodes) > most {
				t.Fatalf("shards %d to %d of %d: %d nodes", begin, end, shards, len(own.nodes))
			}
			all.nodes, all.says = append(all.nodes, own.nodes...), append(all.says, own.says...)
			begin = end
		}
		all.join()
		if want := slow(0, width(shards), shards); len(all.says) != 1 || all.says[0] != want {
			t.Fatalf("%d shards: got %v, want %s", shards, all.says, want)
		}
	})
}

// TestAddTreeAddsAsTheTreeSays: numbers whose sum depends on the order, in rows.
func TestAddTreeAddsAsTheTreeSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards, n := rapid.IntRange(1, 70).Draw(t, "shards"), rapid.IntRange(0, 3).Draw(t, "numbers")
		begin := rapid.IntRange(0, shards-1).Draw(t, "begin")
		end := rapid.IntRange(begin+1, shards).Draw(t, "end")
		var rows [][]float64
		for range shards {
			rows = append(rows, rapid.SliceOfN(rapid.Float64Range(-1e9, 1e9), n, n).Draw(t, "row"))
		}
		var add func(begin, width, end int) []float64
		add = func(begin, width, end int) []float64 {
			switch {
			case width == 1:
				return rows[begin]
			case begin+width/2 >= end:
				return add(begin, width/2, end)
			}
			sum := slices.Clone(add(begin, width/2, end))
			for i, x := range add(begin+width/2, width/2, end) {
				sum[i] += x
			}
			return sum
		}
		var want [][]float64
		for _, node := range Tree(shards).Nodes(begin, end) {
			want = append(want, add(node.Begin, width(node.End-node.Begin), node.End))
		}
		var own [][]float64
		for _, row := range rows[begin:end] {
			own = append(own, slices.Clone(row))
		}
		nodes := Leaves(begin, end)
		left := AddTree(Tree(shards), nodes, own)
		if !slices.Equal(nodes[:left], Tree(shards).Nodes(begin, end)) || !slices.EqualFunc(own[:left], want, slices.Equal) {
			t.Fatalf("shards %d to %d of %d: got %v of %v, want %v", begin, end, shards, own[:left], nodes[:left], want)
		}
	})
}
