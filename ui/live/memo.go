package live

import (
	"maps"
	"slices"
	"sync"
)

// memo keeps what was made for a key, so that it is made once. It may be used
// by several goroutines.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	most int // values kept; when there are more, all are forgotten
	made map[K]V
}

func newMemo[K comparable, V any](most int) *memo[K, V] {
	return &memo[K, V]{most: most, made: map[K]V{}}
}

// keys are those of the values that are kept.
func (m *memo[K, V]) keys() []K {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.made))
}

func (m *memo[K, V]) get(key K, create func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.made[key]
	if !ok {
		value = create()
		if len(m.made) >= m.most {
			clear(m.made)
		}
		m.made[key] = value
	}
	return value
}
