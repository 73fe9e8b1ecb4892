//! What an agent that was killed left behind.

use std::mem;

use scanwatch::kernel::Mode;
use scanwatch::policy::Hook;
use scanwatch_common::counters::Counter;

use crate::support::net::{Veth, in_namespace, tc};
use crate::{await_count, kernel, syn};

/// Filters of both ways.
fn filters(veth: &Veth) -> String {
    ["ingress", "egress"].map(|way| tc(&format!("filter show dev {} {way}", veth.name))).concat()
}

#[test]
fn a_clsact_filter_that_outlived_its_agent_is_removed_at_the_next_attach() {
    in_namespace(async || {
        let mut veth = Veth::new("watched");
        let mut killed = kernel();
        killed.attach_by(&veth.name, veth.index, Mode::Clsact).expect("attached");
        killed.attach_out_by(&veth.name, veth.index, Mode::Clsact).expect("attached on the way out");
        let programs = killed.programs().expect("the programs");
        let ids = ["scanwatch_tc", "scanwatch_egres"]
            .map(|name| programs.iter().find(|facts| facts.name == name).expect("the TC program").id);
        // Nothing is cleaned up, as by SIGKILL; unlike XDP and TCX links, a clsact filter holds on to its program.
        mem::forget(killed);
        for id in ids {
            assert!(filters(&veth).contains(&format!("id {id} ")), "{}", filters(&veth));
        }
        for hook in [Hook::Auto, Hook::Tc] {
            let mut kernel = kernel();
            kernel.attach(&veth.name, veth.index, hook).await.expect("attached");
            assert!(!filters(&veth).contains("scanwatch"), "{}", filters(&veth));
            veth.send(&[syn([10, 0, 0, 5], 22)]);
            await_count(&kernel, Counter::ProbeSyn, 1);
        }
    });
}

#[test]
fn filters_of_others_are_not_removed() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        tc("qdisc add dev watched clsact");
        tc("filter add dev watched ingress protocol all prio 7 u32 match u32 0 0 classid 1:1");
        tc("filter add dev watched egress protocol all prio 7 u32 match u32 0 0 classid 1:1");
        let theirs = filters(&veth).matches("u32 chain 0 fh").count();
        let mut kernel = kernel();
        kernel.attach(&veth.name, veth.index, Hook::Auto).await.expect("attached");
        let are_left = || {
            let filters = filters(&veth);
            assert!(theirs > 0 && filters.matches("u32 chain 0 fh").count() == theirs, "{filters}");
            filters
        };
        are_left();
        kernel.detach(veth.index);
        kernel.attach_by(&veth.name, veth.index, Mode::Clsact).expect("attached beside it");
        kernel
            .attach_out_by(&veth.name, veth.index, Mode::Clsact)
            .expect("attached beside it on the way out");
        let beside = are_left();
        assert!(beside.contains("scanwatch_tc") && beside.contains("scanwatch_egress"), "{beside}");
        kernel.detach(veth.index);
        assert!(!are_left().contains("scanwatch"), "{}", filters(&veth));
    });
}
