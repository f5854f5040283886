package emit

import (
	"slices"

	"byol/model/pjrt/hlo"
)

// encodedPixels is what an encoder takes at once: 64 images of 224 × 224. What it needs besides grows with them.
const encodedPixels = 64 * 224 * 224

// Encoded is how many images an encoder takes at once: those of a shard in both views, unless they are large.
func (c Config) Encoded() int {
	return max(min(views*c.Images, encodedPixels/(c.ImageSize*c.ImageSize)), 1)
}

// lives finds what nobody needs any more behind each segment. Images live until the next ones, parameters until others
// are used, and what the networks give until the next pass. Results of the target network lie where what is dead was: a
// step needs most while that runs. On the way back they do not: XLA would copy what it cannot compute in place.
func (s *Step) lives() {
	last := map[*hlo.Value]*hlo.Segment{}
	for _, segment := range s.Program.Segments {
		for _, v := range segment.Results {
			last[v] = segment
		}
		for _, v := range segment.Parameters {
			if last[v] != nil {
				last[v] = segment
			}
		}
	}
	for _, segment := range []*hlo.Segment{s.Load, s.Prepare[online], s.Prepare[target]} {
		for _, v := range segment.Results {
			delete(last, v)
		}
	}
	for _, v := range []*hlo.Value{s.Embedding, s.Prediction, s.Logits, s.Projection[online], s.Projection[target]} {
		delete(last, v)
	}
	ofTarget := map[*hlo.Segment]bool{}
	for _, stage := range s.Target {
		ofTarget[stage.Segment] = true
	}
	s.Dead = map[*hlo.Segment][]*hlo.Value{}
	for _, segment := range s.Program.Segments {
		var free []*hlo.Value
		if ofTarget[segment] {
			free = slices.Clone(segment.Results)
		}
		for _, v := range segment.Parameters {
			if last[v] != segment {
				continue
			}
			s.Dead[segment] = append(s.Dead[segment], v)
			at := slices.IndexFunc(free, func(r *hlo.Value) bool { return r.Type == v.Type && slices.Equal(r.Shape, v.Shape) })
			if at >= 0 {
				segment.Reuse(v, free[at])
				free = slices.Delete(free, at, at+1)
			}
		}
		for _, v := range segment.Results {
			if last[v] == segment {
				s.Dead[segment] = append(s.Dead[segment], v)
			}
		}
	}
}
