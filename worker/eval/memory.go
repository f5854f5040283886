package eval

// Bytes is about how much memory an evaluation of pictures of that side takes, besides what the engine has for a step
// and the features.
func Bytes(side int) int64 {
	const floatBytes, colours, products = 4, 3, 16 << 20
	return readAtOnce*int64(side)*int64(side)*colours*floatBytes + products
}
