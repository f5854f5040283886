package allreduce

import (
	"slices"

	"byol/internal/vector"
)

// order says what the ranks of a group make of their shards on the way to the sum, which is that of a vector.Tree over
// shards. It follows from the plan alone.
type order struct {
	tree  vector.Tree
	own   []vector.Node // this rank's shards
	nodes rows          // the fewest sums that each rank's shards make up
	// parcels are what each rank sends of a vector to be summed: its nodes, or its shards where each is rounded.
	parcels rows

	pack   folding // this rank's shards into its nodes
	joined folding // all parcels into the sum
	leaves folding // all shards into the sum
	relay  folding // this rank's shards onto the nodes that those of the ranks before make up
}

// orderOf is the order of one rank.
func orderOf(cfg *GroupConfig) order {
	shards := cfg.Peers[len(cfg.Peers)-1].ShardEnd
	o := order{tree: vector.Tree(shards)}
	var leaves rows
	for _, p := range cfg.Peers {
		o.nodes.add(o.tree.Nodes(p.ShardBegin, p.ShardEnd))
		leaves.add(vector.Leaves(p.ShardBegin, p.ShardEnd))
	}
	o.parcels = o.nodes
	widest := widestGroup
	if cfg.Wire == BF16 {
		o.parcels, widest = leaves, 2 // the kernel that rounds adds from left to right
	}
	own := leaves.of[cfg.Rank]
	o.own = own
	o.pack = foldingOf(o.tree, nil, own, widest)
	o.joined = foldingOf(o.tree, nil, slices.Concat(o.parcels.of...), widest)
	o.leaves = foldingOf(o.tree, nil, slices.Concat(leaves.of...), widest)
	o.relay = foldingOf(o.tree, o.tree.Nodes(0, own[0].Begin), own, widest)
	return o
}

// rows are nodes by rank, in rank order.
type rows struct {
	of     [][]vector.Node
	firsts []int // which of all is the first of each rank
}

func (r *rows) add(nodes []vector.Node) {
	r.firsts = append(r.firsts, r.all())
	r.of = append(r.of, nodes)
}

// count is how many rank has.
func (r *rows) count(rank int) int { return len(r.of[rank]) }

// all is how many there are.
func (r *rows) all() int {
	last := len(r.of) - 1
	if last < 0 {
		return 0
	}
	return r.firsts[last] + len(r.of[last])
}

// most is the largest number of a rank.
func (r *rows) most() int {
	n := 0
	for _, nodes := range r.of {
		n = max(n, len(nodes))
	}
	return n
}

// part is the rows of a rank, of all of them, each n elements long.
func part[T any](r *rows, all []T, rank, n int) []T {
	return all[n*r.firsts[rank]:][:n*r.count(rank)]
}

// widestGroup is how many vectors are added at once.
const widestGroup = 8

// folding says how nodes that follow one another, from left to right, are added: by groups that are nodes themselves,
// each of which goes on a stack, where two that are the halves of a node become one.
type folding struct {
	have   int // nodes that are on the stack before
	groups []group
	left   int // nodes that are on it afterwards
	depth  int // most that are ever on it
}

// group is some nodes that are added at once, two by two.
type group struct {
	count  int // 1, 2, 4, …
	merges int // how often two nodes of the stack become one behind it
}

func foldingOf(t vector.Tree, have, rows []vector.Node, widest int) folding {
	f := folding{have: len(have), depth: len(have)}
	stack := append([]vector.Node(nil), have...)
	for len(rows) > 0 {
		g := group{count: widest}
		sum, ok := whole(t, rows, g.count)
		for ; !ok; sum, ok = whole(t, rows, g.count) {
			g.count /= 2
		}
		rows, stack = rows[g.count:], append(stack, sum)
		f.depth = max(f.depth, len(stack))
		for top := len(stack) - 1; top > 0; top-- {
			if sum, ok = t.Join(stack[top-1], stack[top]); !ok {
				break
			}
			stack = append(stack[:top-1], sum)
			g.merges++
		}
		f.groups = append(f.groups, g)
	}
	f.left = len(stack)
	return f
}

// whole is the node that the first count rows make up two by two.
func whole(t vector.Tree, rows []vector.Node, count int) (vector.Node, bool) {
	switch {
	case count > len(rows):
		return vector.Node{}, false
	case count == 1:
		return rows[0], true
	}
	a, left := whole(t, rows, count/2)
	b, right := whole(t, rows[count/2:], count/2)
	if !left || !right {
		return vector.Node{}, false
	}
	return t.Join(a, b)
}
