//! Nobody is bound by what it did not sign.

use biscuit_auth::{Algorithm, Biscuit, PublicKey as BiscuitKey};
use countersign_protocol::{
    contract::{ChangeRequest, ContractBody, Rebind, RebindConsent, RebindRequest, hash_of},
    domain::{ChainRebound, ContractFinalized, Entry, Event, KeysRotated},
    grant::GrantRequest,
    identity::{JoinStatement, RenewStatement},
    key::PublicKey,
    ledger::LeafIndex,
    name::InstanceId,
    negotiation::Move,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    token::{Stated, UnverifiedToken},
    trust::KeyRotation,
};

use super::Witness;
use crate::{
    invariant::Invariant::Consent,
    stop::{Flow, hold},
};

impl Witness {
    fn key(&self, instance: &InstanceId) -> Option<PublicKey> {
        self.model.members.get(instance).map(|member| member.key)
    }

    /// Every statement in an entry was signed by the one in whose name it is.
    pub(super) fn check_words(&self, entry: &Entry) -> Flow {
        match &entry.event {
            Event::InstanceAdmitted(event) => {
                let signed = event.join.open::<JoinStatement>(&[event.statement.key]);
                let same = signed.is_ok_and(|it| it.instance == event.statement.instance);
                hold(Consent, same, || format!("{} did not sign its join", event.statement.instance))
            }
            Event::InstanceRenewed(event) => self.signed::<RenewStatement>(&event.renewal, |it| &it.instance),
            Event::InstanceForked(event) => self.signed::<RenewStatement>(&event.renewal, |it| &it.instance),
            Event::GrantIssued(event) => self.signed::<GrantRequest>(&event.request, |it| &it.originator),
            Event::Moved(event) => self.signed::<Move>(&event.signed_move, |it| &it.sender),
            Event::Revoked(event) => self.signed::<RevokeRequest>(&event.request, |it| &it.sender),
            Event::Changed(event) => self.signed::<ChangeRequest>(&event.request, |it| &it.sender),
            Event::RebindAsked(event) => self.signed::<RebindRequest>(&event.request, |it| &it.sender),
            Event::ChainRebound(event) => self.signed::<RebindRequest>(&event.request, |it| &it.sender),
            Event::NegotiationEnded(event) => match &event.evidence {
                Some(evidence) => self.signed::<Move>(evidence, |it| &it.sender),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn signed<T: Statement>(&self, signed: &Signed, who: impl Fn(&T) -> &InstanceId) -> Flow {
        let claimed: Option<T> = signed.peek_unverified().ok();
        let key = claimed.as_ref().and_then(|claimed| self.key(who(claimed)));
        let opened = key.is_some_and(|key| signed.open::<T>(&[key]).is_ok());
        hold(Consent, opened, || {
            let name = claimed.as_ref().map_or("nobody", |claimed| who(claimed).as_str());
            format!("{name} did not sign its {}", T::TYPE)
        })
    }

    /// Both parties signed the contract, each is who the negotiation and the chain say, and each hop
    /// of the token is signed by whoever held the one before: by another implementation's verdict.
    pub(super) fn check_contract(&self, event: &ContractFinalized, body: &ContractBody) -> Flow {
        let keys = [self.key(&body.grantor.instance), self.key(&body.grantee.instance)];
        let both = matches!(keys, [Some(grantor), Some(grantee)] if event.contract.open::<ContractBody>(&[grantor, grantee]).is_ok());
        hold(Consent, both, || "a contract that one of its parties did not sign".into())?;
        let talk = self.model.talks.get(&event.negotiation_id);
        let negotiated = talk.is_some_and(|talk| {
            talk.delegatee == body.grantee.instance && talk.answering.as_ref() == Some(&body.grantor.instance)
        });
        hold(Consent, negotiated, || "a contract between others than those who negotiated it".into())?;
        let held =
            self.model.links.get(&body.parent).is_some_and(|link| link.holder == body.grantor.instance);
        hold(Consent, held, || "its grantor does not hold what it hands on".into())?;
        if self.thorough {
            self.check_token(event, body)?;
        }
        Ok(())
    }

    /// Each hop is signed by the holder before it, and the last one is the contract.
    fn check_token(&self, event: &ContractFinalized, body: &ContractBody) -> Flow {
        let holders = self.check_hops(&event.token)?;
        let mut expected: Vec<PublicKey> =
            self.model.path(body.parent).filter_map(|(_, link)| self.key(&link.holder)).collect();
        expected.reverse();
        hold(Consent, holders == expected, || "a hop is not signed by the holder before it".into())?;
        let claimed = UnverifiedToken::from_bytes(event.token.clone()).peek_unverified();
        let last = claimed.ok().and_then(|(_, mut hops)| hops.pop());
        let same = last.is_some_and(|(_, stated)| {
            let Stated::Hop(hop) = stated else { return false };
            hop.contract == hash_of(&event.contract.payload)
                && hop.rights == body.rights
                && hop.holder.instance == body.grantee.instance
        });
        hold(Consent, same, || "the last hop is not the contract".into())
    }

    /// Whoever takes a chain over asked for it, the domain says so with the key for that, and so does the
    /// grantor where both agreed that it must.
    pub(super) fn check_rebound(&self, event: &ChainRebound) -> Flow {
        let Ok(request) = event.request.peek_unverified::<RebindRequest>() else {
            return hold(Consent, false, || "an unreadable request".into());
        };
        let token = UnverifiedToken::from_bytes(event.token.clone());
        let last = token.peek_unverified().ok().and_then(|(_, mut blocks)| blocks.pop());
        let link = self.model.links.get(&request.chain);
        let said = last.zip(link).is_some_and(|((signer, stated), link)| {
            let Stated::Rebind(terms) = stated else { return false };
            let new = (&terms.holder.instance, Some(terms.holder.key));
            let consented = terms.consent.as_ref().is_some_and(|consent| {
                let key = self.key(&link.grantor);
                let opened = key.and_then(|key| consent.open::<RebindConsent>(&[key]).ok());
                opened.is_some_and(|it| it.holder == terms.holder && it.from == link.holder)
            });
            self.is_rebind_key(&signer)
                && terms.from == link.holder
                && new == (&request.sender, self.key(&request.sender))
                && consented == (link.rebind == Rebind::GrantorConsent)
        });
        hold(Consent, said, || "a chain is taken over, and nobody said so who has to".into())
    }

    fn is_rebind_key(&self, key: &PublicKey) -> bool {
        self.keys.keys().iter().any(|known| known.purpose as u32 == 4 && known.key == *key)
    }

    /// All keys in use say so, and theirs are the only ones that end.
    pub(super) fn check_rotation(&self, event: &KeysRotated, leaf: LeafIndex) -> Flow {
        let in_use: Vec<PublicKey> =
            self.keys.keys().iter().filter(|key| key.end_leaf.get() == 0).map(|key| key.key).collect();
        let opened = event.rotation.open::<KeyRotation>(&in_use).ok();
        let follows = opened.is_some_and(|rotation| {
            let next = rotation.keys.keys();
            let kept = self.keys.keys().iter().all(|old| next.iter().any(|key| key.key == old.key));
            let new = next.iter().filter(|key| !in_use.contains(&key.key));
            kept && next.len() == 2 * in_use.len() && new.into_iter().all(|key| key.first_leaf == leaf)
        });
        hold(Consent, follows, || "keys that those before did not name".into())
    }

    /// The keys that signed the hops of a token, as biscuit-auth finds them.
    fn check_hops(&self, token: &[u8]) -> Flow<Vec<PublicKey>> {
        let roots = self.keys.keys().iter().filter(|key| key.purpose as u32 == 1);
        let mut roots =
            roots.filter_map(|key| BiscuitKey::from_bytes(key.key.as_bytes(), Algorithm::Ed25519).ok());
        let biscuit = roots.find_map(|root| Biscuit::from(token, root).ok());
        hold(Consent, biscuit.is_some(), || "a token that no key of the domain granted".into())?;
        let keys = biscuit.iter().flat_map(Biscuit::external_public_keys).skip(1);
        let keys = keys.filter_map(|key| PublicKey::try_from(key?.to_bytes().as_slice()).ok());
        // What was taken over, the domain signed for.
        Ok(keys.filter(|key| !self.is_rebind_key(key)).collect())
    }
}
