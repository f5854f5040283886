// Package ahead compiles programs for accelerators that are not there: for an H100 on a laptop, by the CUDA plugin and
// what it compiles with. So tests without a GPU see whether a program compiles for one, how large it is, and what
// memory it needs there.
//
// What is compiled depends on the target's description, the plugin and the program, and not on this machine; timing of
// variants (autotuning), which wants the device, is left out.
//
// When it fails: Compile ends at the first program that does not compile, with its name.
package ahead

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
)

// Program is what one program became.
type Program struct {
	Name   string
	Uses   int // segments that are this program
	Digest [32]byte
	Code   []byte // for capi's Load where the target is
	Memory capi.ProgramMemory
	Took   time.Duration
}

// Options are XLA's options for a GPU of NVIDIA in a precision, as an engine there has them, when nothing can be timed;
// with others.
func Options(p emit.Precision, others map[string]any) capi.CompileOptions {
	xla := emit.XLA("cuda", p)
	xla["xla_gpu_enable_triton_gemm"] = false // chooses among variants by timing them
	maps.Copy(xla, others)
	return capi.CompileOptions{XLA: xla}
}

// Job is what is to be compiled.
type Job struct {
	Plugin    *capi.Plugin
	Target    Target
	Segments  []*hlo.Segment
	Precision emit.Precision // that the segments were written for
	XLA       map[string]any // options besides Options'
	Threads   int            // that compile at once; 0 counts as 1
}

// Compile compiles the job's different programs, in the order of their first use.
func Compile(ctx context.Context, j Job) ([]Program, error) {
	t, err := j.Plugin.NewTopology(capi.Values{"target_config": j.Target.Text(), "topology": "1x1x1"})
	if err != nil {
		return nil, fmt.Errorf("compile for %s: %w", j.Target.Name, err)
	}
	c := compilation{topology: t, options: Options(j.Precision, j.XLA)}
	place := map[[32]byte]int{}
	for _, s := range j.Segments {
		d := s.Digest()
		if i, ok := place[d]; ok {
			c.programs[i].Uses++
			continue
		}
		place[d] = len(c.programs)
		c.programs = append(c.programs, Program{Name: s.Name, Uses: 1, Digest: d})
		c.texts = append(c.texts, s.Text())
	}
	var group sync.WaitGroup
	for range max(j.Threads, 1) {
		group.Go(func() {
			for i := c.next(ctx); i >= 0; i = c.next(ctx) {
				c.one(i)
			}
		})
	}
	group.Wait()
	err = c.failed
	if closing := t.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, fmt.Errorf("compile for %s: %w", j.Target.Name, err)
	}
	return c.programs, nil
}

// compilation is the job under way. Every program belongs to the goroutine that next gave it to.
type compilation struct {
	topology *capi.Topology
	options  capi.CompileOptions
	texts    []string
	programs []Program

	mu     sync.Mutex // guards the rest
	begun  int
	failed error
}

// next is a program that nobody compiles yet, −1 if there is none or no more are wanted.
func (c *compilation) next(ctx context.Context) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil && ctx.Err() != nil {
		c.failed = context.Cause(ctx)
	}
	if c.failed != nil || c.begun == len(c.programs) {
		return -1
	}
	c.begun++
	return c.begun - 1
}

func (c *compilation) one(i int) {
	p := &c.programs[i]
	begin := time.Now()
	var err error
	p.Code, p.Memory, err = c.topology.Compile([]byte(c.texts[i]), c.options)
	p.Took = time.Since(begin)
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = fmt.Errorf("program %s: %w", p.Name, err)
	}
}
