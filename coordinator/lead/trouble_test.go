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
		at      time.Duration
		culprit string
		broke   bool
		wait    time.Duration
	}{
		{"no signs", nil, time.Hour, "", false, 0},
		{"silence was waited for", []Sign{sign(Silent, 0, 0)}, 0, "a", false, 0},
		{"the first of equals", []Sign{sign(Silent, 1, 50*ms), sign(Silent, 0, 100*ms)}, 100 * ms, "b", false, 0},
		{"a killed process before words", []Sign{sign(Broke, 0, 0), sign(Killed, 1, 200*ms)}, 200 * ms, "b", false, 0},
		{"words before silence", []Sign{sign(Silent, 0, 0), sign(Broke, 1, 0)}, 0, "b", false, 0},
		{"a cut that the ring did not notice", []Sign{sign(Cut, 0, 0)}, settle, "", false, 625*ms - settle},
		{"a cut that lasts", []Sign{sign(Cut, 0, 0)}, 625 * ms, "a", false, 0},
		{"a cut in the ring, too, too early", []Sign{sign(Cut, 0, 0), blames(1, 0, 100*ms)}, 100 * ms, "", false, 200 * ms},
		{"a cut in the ring, too", []Sign{sign(Cut, 0, 0), blames(1, 0, 100*ms)}, settle, "a", false, 0},
		{"a killed process whose ring was noticed", []Sign{blames(1, 0, 0), sign(Killed, 0, 5*ms)}, 5 * ms, "a", false, 0},
		{"the accused before another of its kind", []Sign{sign(Cut, 0, 0), sign(Cut, 1, 100*ms), blames(2, 1, 100*ms)},
			settle, "b", false, 0},
		{"an accuser alone waits for other signs", []Sign{blames(0, 1, 0)}, 100 * ms, "", false, 200 * ms},
		{"an accuser alone", []Sign{blames(0, 1, 0)}, settle, "", true, 0},
		{"the silent one that is blamed", []Sign{blames(0, 1, 0), sign(Silent, 1, 200*ms)}, 200 * ms, "b", false, 0},
	} {
		s := Signs{All: c.signs, Timeout: 5 * time.Second}
		r := Verdict(s, epoch.Add(c.at))
		if r.Culprit != c.culprit || r.Wait != c.wait || r.Broke != c.broke ||
			(r.Why != nil) != (c.culprit != "" || c.broke) {
			t.Errorf("%s: %+v, want %q, broke %v, wait %v", c.name, r, c.culprit, c.broke, c.wait)
		}
		if r.Culprit != "" && !strings.HasPrefix(r.Why.What, r.Culprit+" ") {
			t.Errorf("%s: %s is blamed for %q", c.name, r.Culprit, r.Why.What)
		}
	}
}

// TestVerdictComes has any signs: the wait that Verdict asks for is enough, and the order in which signs are listed
// does not matter where their times differ.
func TestVerdictComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Signs{Timeout: 5 * time.Second}
		n := rapid.IntRange(1, 6).Draw(t, "signs")
		for i := range n {
			kind := Kind(rapid.IntRange(0, int(Accuser)).Draw(t, "kind"))
			s.All = append(s.All, Sign{Kind: kind, Worker: string(rune('a' + i%2)), Rank: i % 2,
				Accused: rapid.IntRange(-1, 2).Draw(t, "accused"), At: epoch.Add(time.Duration(i) * time.Millisecond),
				Failure: &failure.Failure{What: "x"}})
		}
		at := epoch.Add(time.Duration(n) * time.Millisecond)
		if r := Verdict(s, at); r.Wait > 0 {
			if r.Culprit != "" || r.Broke {
				t.Fatalf("both a wait and a verdict: %+v", r)
			}
			at = at.Add(r.Wait)
		}
		first := Verdict(s, at)
		if first.Wait != 0 || (first.Culprit != "") == first.Broke {
			t.Fatalf("after the wait: %+v", first)
		}
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			s.All[i], s.All[j] = s.All[j], s.All[i]
		}
		if again := Verdict(s, at); again.Culprit != first.Culprit || again.Broke != first.Broke {
			t.Fatalf("%+v, and %+v when the signs are listed backwards", first, again)
		}
	})
}
