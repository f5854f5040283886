package coordinator

import "sync"

// tasks are the goroutines of a run: all are started here, and Run returns when all have ended.
type tasks struct{ group sync.WaitGroup }

func (t *tasks) start(f func()) { t.group.Go(f) }

func (t *tasks) wait() { t.group.Wait() }
