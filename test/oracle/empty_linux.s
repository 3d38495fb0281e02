//go:build linux

// So that functions without a body may be declared, see nftables_test.go.
