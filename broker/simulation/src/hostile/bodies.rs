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
        /// It says something critical that nobody knows.
        Extended,
    }
}

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
            Distortion::Extended => body.extensions = critical(),
        }
        true
    }

    /// The id of another contract: of one that has ended, the rarest first, or of any.
    fn taken_contract(&self, step: &Step) -> Option<ContractId> {
        let of = |status: Option<Status>| {
            let links = self.witness.model.links.values();
            let of_status = links.filter(move |link| status.is_none_or(|status| link.status == status));
            of_status.filter_map(|link| link.contract).map(|(id, _)| id).collect::<Vec<_>>()
        };
        let standing = self.witness.model.talks.values().filter_map(|talk| talk.offered());
        let any = [of(None), standing.collect()].concat();
        let ended = [Status::Fulfilled, Status::Expired, Status::Revoked].map(|status| of(Some(status)));
        let rare = ended.into_iter().find(|ids| !ids.is_empty());
        pick(step.which, &rare.filter(|_| step.who & 1 == 1).unwrap_or(any))
    }
}
