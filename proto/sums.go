package pb

// SumsTree is the order in which shards are added: that of vector.Tree. It is what a run says that was begun since
// there is more than one; those before say nothing, and added shards from left to right.
const SumsTree = "tree"

// onlyOrder is up to how many shards both orders are the same.
const onlyOrder = 3

// SameSums reports whether runs of both configurations, which differ in nothing else, add shards in the same order.
func (c *RunConfig) SameSums(o *RunConfig) bool {
	known := func(name string) bool { return name == "" || name == SumsTree }
	few := c.GetShards() > 0 && c.GetShards() <= onlyOrder
	return c.GetSums() == o.GetSums() || few && known(c.GetSums()) && known(o.GetSums())
}

// OrderOfSums is the order in words.
func (c *RunConfig) OrderOfSums() string {
	switch c.GetSums() {
	case "":
		return "from left to right, as versions before this one did"
	case SumsTree:
		return "by a tree"
	}
	return "in an order called " + c.GetSums()
}
