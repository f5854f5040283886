package vector

// Tree is the order in which the values of that many shards are added: a binary tree whose nodes are aligned. Node
// [i·2^l, (i+1)·2^l) of level l is the sum of the two halves it consists of; what lies behind the last shard is
// nothing, and adds nothing. So what a node is follows from the shards alone, not from who holds them, and anybody who
// holds its shards can compute it. IEEE addition commutes, so it does not matter either which half comes first.
type Tree int

// Node is a node of a Tree: the sum of shards [Begin, End).
type Node struct{ Begin, End int }

// Leaves are shards [begin, end), each a node.
func Leaves(begin, end int) []Node {
	list := make([]Node, 0, end-begin)
	for v := begin; v < end; v++ {
		list = append(list, Node{v, v + 1})
	}
	return list
}

// Nodes are the fewest nodes that shards [begin, end) make up, from left to right: at most two of each level.
func (t Tree) Nodes(begin, end int) []Node {
	var list []Node
	for begin < end {
		size := 1
		for begin%(2*size) == 0 && begin+size < int(t) && min(begin+2*size, int(t)) <= end {
			size *= 2
		}
		n := Node{begin, min(begin+size, int(t))}
		list, begin = append(list, n), n.End
	}
	return list
}

// Join is the node whose halves are a and b; ok is false where there is none.
func (t Tree) Join(a, b Node) (n Node, ok bool) {
	size := a.End - a.Begin // of a left half: a power of two, and a is aligned to twice as much
	ok = size&(size-1) == 0 && a.Begin%(2*size) == 0 && b.Begin == a.End && b.End == min(a.Begin+2*size, int(t))
	return Node{a.Begin, b.End}, ok
}

// AddTree adds rows, which hold the values of nodes that follow one another, wherever two of them are the halves of a
// node, until no two are. It returns how many are left; they are the first of nodes and of rows. Rows are overwritten.
func AddTree[T Number](t Tree, nodes []Node, rows [][]T) int {
	top := 0
	for i, n := range nodes {
		nodes[top], rows[top], rows[i] = n, rows[i], rows[top]
		top++
		for top > 1 {
			sum, ok := t.Join(nodes[top-2], nodes[top-1])
			if !ok {
				break
			}
			to := rows[top-2]
			for j, x := range rows[top-1] {
				to[j] += x
			}
			top--
			nodes[top-1] = sum
		}
	}
	return top
}
