package features

import "slices"

// depth is how many tasks a worker has at once: one that it computes, and one whose images it decodes meanwhile.
const depth = 2

// dealer decides which worker computes which task, of total that are begun in their order. Workers come and go; a task
// counts once, whoever finishes it first. It is a value without clock and goroutine.
type dealer struct {
	total   int
	window  int   // tasks beyond the oldest that is not released which may be dealt
	next    int   // the first that was never dealt
	done    int   // all below are released
	open    []int // dealt, and finished by nobody: ascending
	back    []int // of these, those that nobody holds: ascending
	holders map[int][]int
	single  bool // a worker has one task at a time, and none that another has: tasks are long
}

// deal is a task for a worker, if there is one for it: one that was given back, or else the next. One that has nothing
// to do takes over the oldest that another works on, for the case that this one has stopped.
func (d *dealer) deal(worker int) (task int, ok bool) {
	held := len(d.holds(worker))
	switch {
	case held >= depth, d.single && held > 0:
		return 0, false
	case len(d.back) > 0:
		task, d.back = d.back[0], d.back[1:]
	case d.next < min(d.total, d.done+d.window):
		task = d.next
		d.open = append(d.open, task)
		d.next++
	case held == 0 && !d.single:
		i := slices.IndexFunc(d.open, func(t int) bool { return len(d.holders[t]) == 1 })
		if i < 0 {
			return 0, false
		}
		task = d.open[i]
	default:
		return 0, false
	}
	if d.holders == nil {
		d.holders = map[int][]int{}
	}
	d.holders[task] = append(d.holders[task], worker)
	return task, true
}

// holds are the tasks that a worker has, ascending.
func (d *dealer) holds(worker int) []int {
	var held []int
	for _, task := range d.open {
		if slices.Contains(d.holders[task], worker) {
			held = append(held, task)
		}
	}
	return held
}

// lacks reports whether a task is dealt and finished by nobody yet.
func (d *dealer) lacks(task int) bool { return slices.Contains(d.open, task) }

// finish notes that a task is finished. Whoever else computes it does so in vain.
func (d *dealer) finish(task int) {
	d.open = remove(d.open, task)
	d.back = remove(d.back, task)
	delete(d.holders, task)
}

// release notes that the results of all tasks below done were taken.
func (d *dealer) release(done int) { d.done = done }

// over reports whether all tasks are finished.
func (d *dealer) over() bool { return d.next == d.total && len(d.open) == 0 }

// lose takes the tasks of a worker back that has gone.
func (d *dealer) lose(worker int) {
	for _, task := range d.open {
		before := len(d.holders[task])
		d.holders[task] = remove(d.holders[task], worker)
		if len(d.holders[task]) == 0 && before > 0 {
			d.back = append(d.back, task)
		}
	}
	slices.Sort(d.back)
}

func remove(list []int, x int) []int {
	return slices.DeleteFunc(list, func(y int) bool { return y == x })
}
