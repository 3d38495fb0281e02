// Package review asks again what the lessons taught, in another surface: other
// numbers, names and modes. It keeps what a person answered, tells which
// misconceptions they hold, and says what is due.
//
// It has no clock, no randomness and no storage of its own: the time is an
// argument, chance comes from a seed, and a Record is plain JSON.
package review
