// Package pb is what coordinator, workers and operators say to each other: messages and services generated from
// the .proto files beside it, whose comments are the reference. coordinator and worker share this package and
// nothing else.
//
// When it fails: decoding reports an error and leaves the message partly filled; nothing here keeps state.
package pb
