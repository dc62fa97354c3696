//! Holding contracts up, giving them back, and declaring breaches.

use std::collections::BTreeSet;

use countersign_forge::domain;
use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, Side},
    digest::{ChainId, Digest},
    extension::Extensions,
    id::RequestId,
    signed::Statement,
};

use super::{Purpose, seat};
use crate::{
    model::Status,
    network::Request,
    plan::{Fate, Step},
    stop::Flow,
    world::World,
};

impl World {
    /// Somebody who may changes a link. What is held up is mostly taken up again.
    pub fn make_change(&mut self, step: &Step) -> Flow {
        let model = &self.witness.model;
        let held: Vec<ChainId> =
            model.links.iter().filter(|(_, it)| !it.held_up_by.is_empty()).map(|(id, _)| *id).collect();
        let all: Vec<ChainId> = model.links.keys().copied().collect();
        let ended = self.ended_alike(step.who);
        let brink: Vec<ChainId> = all.iter().filter(|id| model.is_on_the_brink(**id)).copied().collect();
        let resumes = step.what & 3 == 0 && !held.is_empty();
        let among = match step.what >> 2 & 3 {
            _ if resumes || step.what & 3 == 1 && !held.is_empty() => &held,
            0 if !ended.is_empty() => &ended,
            1 | 2 if !brink.is_empty() => &brink,
            _ => &all,
        };
        let Some(at) = usize::from(step.which).checked_rem(among.len()) else { return Ok(()) };
        let chain = match self.spend_the_last(step)? {
            Some(chain) if !resumes => chain,
            _ => among[at],
        };
        let model = &self.witness.model;
        if step.how % 10 >= 7 && !resumes {
            return self.replace(chain, step);
        }
        let (side, kind) = match step.how % 10 {
            it if resumes => (if it & 1 == 0 { Side::Grantor } else { Side::Admin }, ChangeKind::Resume),
            0 | 1 => (Side::Grantor, ChangeKind::Suspend),
            2 => (Side::Admin, ChangeKind::Suspend),
            3 if step.what & 1 == 1 => (Side::Grantor, ChangeKind::Resume),
            3 => (Side::Admin, ChangeKind::Resume),
            4 => (Side::Holder, ChangeKind::Retire),
            6 => (Side::Holder, ChangeKind::Breach),
            _ => (Side::Grantor, ChangeKind::Breach),
        };
        let link = &model.links[&chain];
        let here = |party: &super::Party| link.has_on_side(&party.agent.id, side);
        let Some(who) = self.parties.iter().position(here) else { return Ok(()) };
        if !self.ready(who)? {
            return Ok(());
        }
        let stale = u64::from(step.who & 31 == 31);
        let mut request = self.change(who, chain, side, kind);
        request.chains += stale;
        let signed = request.sign(&self.parties[who].agent.key);
        self.ask(who, Request::Change(signed), Purpose::Revocation, true);
        Ok(())
    }

    /// The two of a contract come to another one in its place, or try to where it is not in force.
    fn replace(&mut self, chain: ChainId, step: &Step) -> Flow {
        let Some(link) = self.witness.model.links.get(&chain).cloned() else { return Ok(()) };
        let Some(parent) = link.parent else { return Ok(()) };
        let seat_of = |id| self.parties.iter().position(|party| party.agent.id == id && !party.out);
        let Some((who, whom)) = seat_of(link.grantor).zip(seat_of(link.holder)) else { return Ok(()) };
        let holding = self.parties[who].holdings.iter().find(|it| it.chain == parent).cloned();
        match holding {
            Some(holding) => {
                let place = link.contract.map(|(id, _)| (id, link.status == Status::Active));
                self.agree_between((who, whom), &holding, step.which, place)
            }
            None => Ok(()),
        }
    }

    /// The links that ended in one of the ways in which some did: each way as often as another.
    pub fn ended_alike(&self, way: u8) -> Vec<ChainId> {
        let links = &self.witness.model.links;
        let ways: BTreeSet<&str> =
            links.values().filter(|it| it.status.has_ended()).map(|it| it.status.name()).collect();
        let at = usize::from(way).checked_rem(ways.len()).unwrap_or(0);
        let Some(way) = ways.into_iter().nth(at) else { return Vec::new() };
        let alike = links.iter().filter(|(_, it)| it.status.has_ended() && it.status.name() == way);
        alike.map(|(id, _)| *id).collect()
    }

    /// Somebody spends the last of a budget, and the receipt is long under way: what becomes of the
    /// chain meanwhile comes first.
    pub(super) fn spend_the_last(&mut self, step: &Step) -> Flow<Option<ChainId>> {
        if step.what & 12 != 12 {
            return Ok(None);
        }
        let model = &self.witness.model;
        let last = |holding: &super::Holding| {
            let budget = &holding.active.token().leaf().rights.budget;
            model.available(holding.chain) == budget.per_call.get()
        };
        let holdings = self.holdings();
        let lasts: Vec<usize> =
            holdings.iter().enumerate().filter(|(_, (_, it))| last(it)).map(|(at, _)| at).collect();
        let Some(at) = usize::from(step.which).checked_rem(lasts.len()) else { return Ok(None) };
        let late = Step { fates: [0, 0, 0, Fate::Delayed as u8], ..*step };
        self.network.begin(&late);
        self.use_chain(&Step { what: 0, which: lasts[at] as u8, ..late })?;
        Ok(Some(holdings[lasts[at]].1.chain))
    }

    /// While a use waits for its callee, an admin holds its chain up.
    pub fn suspend_meanwhile(&mut self, chain: ChainId) -> Flow {
        let root = seat("root");
        if !self.ready(root)? {
            return Ok(());
        }
        let request = self.change(root, chain, Side::Admin, ChangeKind::Suspend);
        let signed = request.sign(&self.parties[root].agent.key);
        self.ask(root, Request::Change(signed), Purpose::Revocation, true);
        Ok(())
    }

    /// What somebody signs to change a link. A breach is shown by a use, where there was one.
    pub fn change(&mut self, who: usize, chain: ChainId, side: Side, kind: ChangeKind) -> ChangeRequest {
        let model = &self.witness.model;
        let beneath = model.beneath(chain);
        let shown = model.uses.iter().find(|(_, it)| beneath.contains(&it.chain)).map(|(id, _)| *id);
        let breach = kind == ChangeKind::Breach;
        ChangeRequest {
            domain: domain(),
            sender: self.parties[who].agent.id.clone(),
            side,
            chain,
            kind,
            invocation: shown.filter(|_| breach),
            evidence: (breach && shown.is_none()).then(|| Digest::of(b"what shows it")),
            chains: self.witness.model.living_beneath(chain).len() as u64,
            request_id: RequestId::new(self.now, &mut self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }
}
