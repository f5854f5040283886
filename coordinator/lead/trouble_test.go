package lead

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/internal/failure"
)

// TestVerdict judges signs at some time after the first.
func TestVerdict(t *testing.T) {
	sign := func(kind Kind, rank int, after time.Duration) Sign {
		worker := string(rune('a' + rank))
		return Sign{Kind: kind, Worker: worker, Rank: rank, At: epoch.Add(after), Accused: -1,
			Failure: &failure.Failure{What: fmt.Sprint(worker, " kind ", int(kind)), Why: "w"}}
	}
	blames := func(rank, accused int, after time.Duration) Sign {
		s := sign(Accuser, rank, after)
		s.Accused = accused
		return s
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		signs   []Sign
		local   bool
		at      time.Duration
		culprit string
		wait    time.Duration
	}{
		{"no signs", nil, false, time.Hour, "", 0},
		{"too early", []Sign{sign(Silent, 0, 0)}, false, 100 * ms, "", 200 * ms},
		{"one sign", []Sign{sign(Silent, 0, 0)}, false, settle, "a", 0},
		{"the first of equals", []Sign{sign(Silent, 1, 50*ms), sign(Silent, 0, 100*ms)}, false, settle + 50*ms, "b", 0},
		{"the time counts from the first", []Sign{sign(Silent, 1, 50*ms), sign(Silent, 0, 0)}, false, settle, "a", 0},
		{"a killed process before words", []Sign{sign(Broke, 0, 0), sign(Killed, 1, 200*ms)}, false, settle, "b", 0},
		{"words before silence", []Sign{sign(Silent, 0, 0), sign(Broke, 1, 0)}, false, settle, "b", 0},
		{"a cut that the ring did not notice", []Sign{sign(Cut, 0, 0)}, false, exitNotice, "", 5*time.Second - exitNotice},
		{"a cut that lasts", []Sign{sign(Cut, 0, 0)}, false, 5 * time.Second, "a", 0},
		{"a cut in the ring, too", []Sign{sign(Cut, 0, 0), blames(1, 0, 100*ms)}, false, settle, "a", 0},
		{"a cut in the ring whose process may still be told", []Sign{sign(Cut, 0, 0), blames(1, 0, 0)}, true, settle, "",
			exitNotice - settle},
		{"a cut in the ring whose process was not", []Sign{sign(Cut, 0, 0), blames(1, 0, 0)}, true, exitNotice, "a", 0},
		{"who left because asked is no cause", []Sign{sign(Asked, 0, 0), sign(Cut, 1, 0)}, false, 5 * time.Second, "b", 0},
		{"the accused before another of its kind", []Sign{sign(Cut, 0, 0), sign(Cut, 1, 100*ms), blames(2, 1, 100*ms)}, false,
			settle, "b", 0},
		{"an accuser alone waits", []Sign{blames(0, 1, 0)}, false, 5 * time.Second, "", patience},
		{"an accuser alone", []Sign{blames(0, 1, 0)}, false, 6 * time.Second, "a", 0},
		{"the silent one that is blamed", []Sign{blames(0, 1, 0), sign(Silent, 1, 4*time.Second)}, false,
			4 * time.Second, "b", 0},
	} {
		s := Signs{All: c.signs, Local: c.local, Timeout: 5 * time.Second, Workers: []string{"a", "b", "c"}}
		culprit, why, wait := Verdict(s, epoch.Add(c.at))
		if culprit != c.culprit || wait != c.wait || (why != nil) != (c.culprit != "") {
			t.Errorf("%s: %q %v wait %v, want %q wait %v", c.name, culprit, why, wait, c.culprit, c.wait)
		}
		if why != nil && !strings.HasPrefix(why.What, culprit+" ") {
			t.Errorf("%s: %s is blamed for %q", c.name, culprit, why.What)
		}
	}
	_, why, _ := Verdict(Signs{All: []Sign{blames(0, 1, 0), blames(2, 1, 0)}, Workers: []string{"a", "b", "c"}},
		epoch.Add(time.Minute))
	if want := "w; 2 of 3 workers blame b"; why == nil || why.Why != want {
		t.Errorf("an accusation says %v, want %q", why, want)
	}
}

// TestVerdictComes has any signs: the wait that Verdict asks for is enough, and the order in which signs are listed
// does not matter where their times differ.
func TestVerdictComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Signs{Local: rapid.Bool().Draw(t, "local"), Timeout: 5 * time.Second, Workers: []string{"a", "b"}}
		n := rapid.IntRange(1, 6).Draw(t, "signs")
		for i := range n {
			kind := Kind(rapid.IntRange(0, int(Accuser)).Draw(t, "kind"))
			s.All = append(s.All, Sign{Kind: kind, Worker: string(rune('a' + i%2)), Rank: i % 2,
				Accused: rapid.IntRange(-1, 2).Draw(t, "accused"), At: epoch.Add(time.Duration(i) * time.Millisecond),
				Failure: &failure.Failure{What: "x"}})
		}
		at := epoch.Add(time.Duration(n) * time.Millisecond)
		if culprit, why, wait := Verdict(s, at); wait > 0 {
			if culprit != "" || why != nil {
				t.Fatalf("both a wait of %v and a verdict on %q", wait, culprit)
			}
			at = at.Add(wait)
		}
		first, why, wait := Verdict(s, at)
		if why == nil || wait != 0 {
			t.Fatalf("after the wait: %q %v, wait %v", first, why, wait)
		}
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			s.All[i], s.All[j] = s.All[j], s.All[i]
		}
		if again, _, _ := Verdict(s, at); again != first {
			t.Fatalf("%q is to blame, and %q when the signs are listed backwards", first, again)
		}
	})
}
