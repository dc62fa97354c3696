//! Contracts that say something else than they must.

use countersign_forge::principal;
use countersign_protocol::{
    contract::ContractBody,
    digest::{ChainId, Digest},
    id::{ContractId, GrantId, NegotiationId},
    ledger::EMPTY_ROOT,
    negotiation::empty_transcript,
    time::Timestamp,
};

use super::pick;
use crate::{
    model::Status,
    party::{critical, seat},
    plan::{Step, counted},
    world::World,
};

counted! {
    /// What is wrong with a contract.
    Distortion {
        /// Its domain.
        Domain,
        /// Its negotiation.
        Negotiation,
        /// What was said before it.
        Transcript,
        /// Its grantor.
        Grantor,
        /// Its grantee.
        Grantee,
        /// What configures its grantee.
        Configuration,
        /// What it is for.
        Purpose,
        /// Who answers for it.
        Originator,
        /// Its grant.
        Grant,
        /// Its depth.
        Depth,
        /// The log that its grantor saw.
        Seen,
        /// A log that is still to come.
        SeenAhead,
        /// A parent that does not exist.
        Parent,
        /// Its rights have ended already.
        Over,
        /// Its id is another contract's.
        Id,
        /// It replaces a contract of others, one that is not in force, or none.
        Replaces,
        /// It says something critical that nobody knows.
        Extended,
    }
}

/// States in which few contracts are.
const RARE: [Status; 7] = [
    Status::Fulfilled,
    Status::Expired,
    Status::Revoked,
    Status::Suspended,
    Status::Retired,
    Status::Superseded,
    Status::Breached,
];

impl World {
    /// Makes one thing wrong with a contract; whether there was something to do it with.
    pub(super) fn distort_body(
        &mut self,
        body: &mut ContractBody,
        distortion: Distortion,
        step: &Step,
    ) -> bool {
        match distortion {
            Distortion::Domain => body.domain = "other.example".parse().unwrap(),
            Distortion::Negotiation => body.negotiation_id = NegotiationId::new(self.now, &mut self.rng),
            Distortion::Transcript => body.transcript = empty_transcript(&body.domain, body.negotiation_id),
            Distortion::Grantor => body.grantor = self.parties[seat("alice")].agent.party(),
            Distortion::Grantee => body.grantee = self.parties[seat("alice")].agent.party(),
            Distortion::Configuration => body.grantee.configuration = Digest::of(b"another model"),
            Distortion::Purpose => body.purpose = Digest::of(b"another purpose"),
            Distortion::Originator => body.originator = principal("root"),
            Distortion::Grant => body.grant_id = GrantId::new(self.now, &mut self.rng),
            Distortion::Depth => body.depth += 1,
            Distortion::Seen => {
                body.seen.root = EMPTY_ROOT;
                body.seen.size = body.seen.size.plus(1).unwrap_or(body.seen.size);
            }
            Distortion::SeenAhead => body.seen.size = body.seen.size.plus(1_000).unwrap_or(body.seen.size),
            Distortion::Parent => body.parent = ChainId::from_bytes([step.which; 32]),
            Distortion::Over => {
                let now = self.broker_now();
                body.rights.not_before =
                    Timestamp::new(now.as_millis() - 10).unwrap().max(body.rights.not_before);
                body.rights.not_after = now;
                return body.rights.not_before < body.rights.not_after;
            }
            Distortion::Id => {
                let Some(id) = self.taken_contract(step) else { return false };
                body.contract_id = id;
            }
            Distortion::Replaces => {
                let nowhere = ContractId::new(self.now, &mut self.rng);
                let rare = self.taken_contract(&Step { who: 1, ..*step });
                body.replaces = rare.filter(|_| step.which & 7 != 7).or(Some(nowhere));
            }
            Distortion::Extended => body.extensions = critical(),
        }
        true
    }

    /// The id of another contract: of one in a state that is rare, or of any.
    fn taken_contract(&self, step: &Step) -> Option<ContractId> {
        let of = |status: Option<Status>| {
            let links = self.witness.model.links.values();
            let of_status = links.filter(move |link| status.is_none_or(|status| link.status == status));
            of_status.filter_map(|link| link.contract).map(|(id, _)| id).collect::<Vec<_>>()
        };
        let standing = self.witness.model.talks.values().filter_map(|talk| talk.offered());
        let any = [of(None), standing.collect()].concat();
        let rare: Vec<Vec<ContractId>> =
            RARE.iter().map(|status| of(Some(*status))).filter(|ids| !ids.is_empty()).collect();
        let rare = pick(step.how, &rare);
        pick(step.which, &rare.filter(|_| step.who & 1 == 1).unwrap_or(any))
    }
}
