package loadbalancer

import (
	"context"
	"io"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// settle is how long changes are collected before nodes are elected again.
const settle = 20 * time.Millisecond

// announcements keeps each address announced by the node elected for it.
type announcements struct {
	pool      *Pool
	announcer Announcer
	log       io.Writer
	changed   chan struct{} // has room for one
	services  corelisters.ServiceLister
	nodes     corelisters.NodeLister
	slices    discoverylisters.EndpointSliceLister

	announced map[netip.Addr]string
}

func (a *announcements) handler() cache.ResourceEventHandler {
	notice := func() {
		select {
		case a.changed <- struct{}{}:
		default: // it will look at everything anyway
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notice() }, UpdateFunc: func(any, any) { notice() }, DeleteFunc: func(any) { notice() },
	}
}

// run announces until ctx ends; then nothing is announced any more, as when
// no machine answers ARP.
func (a *announcements) run(ctx context.Context) {
	a.announced = map[netip.Addr]string{}
	defer func() {
		for address := range a.announced {
			a.announcer.Withdraw(address)
		}
	}()
	for {
		select {
		case <-a.changed:
		case <-ctx.Done():
			return
		}
		select { // several changes often come at once
		case <-time.After(settle):
		case <-ctx.Done():
			return
		}
		a.update()
	}
}

func (a *announcements) update() {
	services, errServices := a.services.List(labels.Everything())
	nodes, errNodes := a.nodes.List(labels.Everything())
	slices, errSlices := a.slices.List(labels.Everything())
	if errServices != nil || errNodes != nil || errSlices != nil {
		return // lists of an informer's memory do not fail
	}
	elected := elect(a.pool, services, nodes, slices)
	for address, node := range a.announced {
		if elected[address] == "" {
			a.announcer.Withdraw(address)
			delete(a.announced, address)
			say(a.log, "%s: no longer announced from %s", address, node)
		}
	}
	for address, node := range elected {
		if a.announced[address] == node {
			continue
		}
		if err := a.announcer.Announce(address, node); err != nil {
			say(a.log, "%s: announce it from %s: %v", address, node, err)
			continue
		}
		a.announced[address] = node
		say(a.log, "%s: announced from %s", address, node)
	}
}
