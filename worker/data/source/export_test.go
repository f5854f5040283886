package source

// What the tests of this package ask of it beside its interface.
var (
	InTime   = inTime
	Punctual = punctual
)

// expandPattern is what a list of patterns stands for where nothing of these names is there.
func expandPattern(pattern string) (out []string, err error) {
	items, err := cutList(pattern, func(string) (Kind, bool) { return 0, false })
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		more, err := expandBraces(item, 0)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxPaths {
			return nil, errTooMany
		}
	}
	return out, nil
}
