package launch

// Threads is how many threads each of so many processes gets of a machine's cores.
func Threads(cores, processes int) int { return max(1, cores/max(1, processes)) }

// Share is how many of so many workers each process stands for: as evenly as they can be.
func Share(workers, processes int) []int {
	all := make([]int, processes)
	for i := range all {
		all[i] = workers*(i+1)/processes - workers*i/processes
	}
	return all
}

// Processes is in how many processes, up to most, so many workers are done soonest. Each has so many threads, or its
// share of the cores (0). Where every worker has a core, it has a process. Otherwise processes that wait for cores are
// only in each other's way, and the number is that with which the largest of them is done first. There are two at
// least, so that one that is lost leaves somebody who holds the state.
func Processes(workers, most, cores, threads int) int {
	if most = min(most, workers); most <= 2 || most == workers && workers*max(1, threads) <= cores {
		return max(1, most)
	}
	best, bestShare, bestThreads := 0, 0, 0
	for n := 2; n <= most; n++ {
		share, each := (workers+n-1)/n, threads
		if each == 0 {
			each = Threads(cores, n)
		}
		if n > 2 && n*each > cores {
			break
		}
		// Its step takes share/each. Of equals, more and smaller processes are faster, and of these the fewest.
		if a, b := share*bestThreads, bestShare*each; best == 0 || a < b || a == b && share < bestShare {
			best, bestShare, bestThreads = n, share, each
		}
	}
	return best
}
