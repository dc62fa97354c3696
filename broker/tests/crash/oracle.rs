//! The ledger read a second time, with none of the core's fold: what was made, used, ended and spent.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::{
    capability::Rights,
    contract::ContractBody,
    digest::{ChainId, Digest},
    domain::{Entry, Event, Intent, InvocationEnded, InvocationOutcome},
    grant::GrantRequest,
    id::InvocationId,
    ledger::LeafIndex,
    name::InstanceId,
    payload::Payload as _,
    receipt::Receipt,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
};

#[derive(Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) admitted: BTreeSet<InstanceId>,
    pub(crate) links: BTreeMap<ChainId, Link>,
    pub(crate) revocations: BTreeMap<LeafIndex, ChainId>,
    pub(crate) intents: BTreeMap<InvocationId, (LeafIndex, ChainId)>,
    pub(crate) ends: BTreeMap<InvocationId, End>,
    /// Invocations that have no end yet, and what each may cost.
    open: BTreeMap<InvocationId, u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) leaf: LeafIndex,
    parent: Option<ChainId>,
    ceiling: u64,
    revoked: bool,
    /// Settled under this link itself.
    pub(crate) settled: u64,
    /// The costs in callees' receipts under this link itself.
    pub(crate) receipted: u64,
    /// Settled, or reserved for what is open, under this link and all beneath it.
    used: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) leaf: LeafIndex,
    pub(crate) outcome: InvocationOutcome,
    pub(crate) receipt: Option<Digest>,
}

impl Oracle {
    /// Reads the next entry, which must not contradict what came before it.
    pub(crate) fn read(&mut self, leaf: LeafIndex, bytes: &[u8]) {
        match Entry::from_bytes(bytes).unwrap().event {
            Event::InstanceAdmitted(event) => drop(self.admitted.insert(event.statement.instance)),
            Event::GrantIssued(event) => {
                let request: GrantRequest = peek(&event.request);
                self.link(event.chain_id, leaf, None, &request.rights);
            }
            Event::ContractFinalized(event) => {
                let body: ContractBody = peek(&event.contract);
                self.link(event.chain_id, leaf, Some(body.parent), &body.rights);
            }
            Event::Revoked(event) => {
                let request: RevokeRequest = peek(&event.request);
                let chain = request.chain.unwrap();
                self.revocations.insert(leaf, chain);
                self.links.get_mut(&chain).unwrap().revoked = true;
            }
            Event::Intent(event) => self.intent(leaf, &event),
            Event::InvocationEnded(event) => self.end(leaf, &event),
            _ => {}
        }
    }

    fn link(&mut self, id: ChainId, leaf: LeafIndex, parent: Option<ChainId>, rights: &Rights) {
        let ceiling = rights.budget.ceiling.get();
        let link = Link { leaf, parent, ceiling, revoked: false, settled: 0, receipted: 0, used: 0 };
        assert!(self.links.insert(id, link).is_none(), "{id} is made twice");
        self.path(id, |it, link| assert!(!link.revoked, "{id} is made beneath {it}, which is revoked"));
    }

    fn intent(&mut self, leaf: LeafIndex, event: &Intent) {
        let (id, chain) = (event.invocation_id, *event.chain.last().unwrap());
        assert!(self.intents.insert(id, (leaf, chain)).is_none(), "{id} begins twice");
        self.path(chain, |it, link| assert!(!link.revoked, "leaf {leaf} uses {it}, which is revoked"));
        self.open.insert(id, event.reserved.get());
        self.charge(chain, event.reserved.get(), 0);
    }

    fn end(&mut self, leaf: LeafIndex, event: &InvocationEnded) {
        let (id, settled) = (event.invocation_id, event.settled.get());
        let (_, chain) = self.intents.get(&id).copied().unwrap();
        let reserved = self.open.remove(&id).unwrap_or_else(|| panic!("{id} ends twice"));
        let receipt = event.receipt.as_ref();
        let end = End { leaf, outcome: event.outcome, receipt: receipt.map(Signed::digest) };
        self.ends.insert(id, end);
        self.charge(chain, settled, reserved);
        let link = self.links.get_mut(&chain).unwrap();
        link.settled += settled;
        link.receipted += receipt.map_or(0, |signed| peek::<Receipt>(signed).cost.get());
        assert!(link.receipted <= link.settled, "leaf {leaf}: more was done than was settled");
        let unknown = event.outcome == InvocationOutcome::Unknown;
        assert!(!unknown || settled == reserved, "leaf {leaf}: an unknown outcome costs what was reserved");
    }

    /// Charges a link and all above it; none may come to more than it has.
    fn charge(&mut self, chain: ChainId, more: u64, less: u64) {
        self.path(chain, |id, link| {
            link.used = link.used + more - less;
            assert!(link.used <= link.ceiling, "{id} has {} and {} are used", link.ceiling, link.used);
        });
    }

    fn path(&mut self, chain: ChainId, mut visit: impl FnMut(ChainId, &mut Link)) {
        let mut next = Some(chain);
        while let Some(id) = next {
            let link = self.links.get_mut(&id).unwrap();
            visit(id, link);
            next = link.parent;
        }
    }
}

fn peek<S: Statement>(signed: &Signed) -> S {
    signed.peek_unverified().unwrap()
}
