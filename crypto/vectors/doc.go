// Package vectors holds no code: its tests run the test vectors of others against
// what Kuvert builds on. CCTV's age files against the age library and the way
// package envelope reads it, Wycheproof's cases against the primitives as we call
// them. Kuvert's own vectors lie in crypto/testdata.
package vectors
