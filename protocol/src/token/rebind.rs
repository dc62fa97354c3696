//! A fresh instance takes a link over: whether the hop allows it, and who has to have signed.
//!
//! A rebind stands behind the hop whose link it takes over, and says nothing of rights: the link has
//! another holder and another name, and is otherwise the hop's. So it can neither widen nor lengthen
//! anything. The next one stands behind the same hop again, and a chain does not grow with every restart.

use super::{
    chain::{Link, Rebound},
    container::HopBlock,
    seal::Sealed,
    terms::{Holder, RebindTerms},
};
use crate::{
    contract::{Rebind, RebindConsent},
    ledger::LeafIndex,
    refusal::{Reason, Refusal},
    require, require_some,
    trust::KeySet,
};

const NOT_ALLOWED: Reason = Reason::RebindNotAllowed;

/// The link in the place of `leaf`, which is beneath `above`.
pub(super) fn step(
    above: Option<&Link>,
    leaf: &Link,
    (block, sealed): (&HopBlock, Sealed),
    terms: RebindTerms,
    keys: &KeySet,
) -> Result<Link, Refusal> {
    let signer = hex::encode(block.grantor);
    let by = keys.rebind_key(&block.grantor);
    let by = require_some!("CHN-060", by, Reason::TokenUntrusted, "{signer} is no rebind key of the domain.");
    require!("CHN-061", leaf.rebound.is_none(), NOT_ALLOWED, "It does not stand behind a hop.");
    let allowed = leaf.rebind != Rebind::Never;
    require!("CHN-061", allowed, NOT_ALLOWED, "The link of {} is never rebound.", leaf.holder.instance);
    check_holder(leaf, &terms, keys)?;
    match leaf.rebind {
        Rebind::GrantorConsent => check_consent(above, leaf, &terms, keys)?,
        Rebind::Domain | Rebind::Never => {
            require!("CHN-063", terms.consent.is_none(), NOT_ALLOWED, "Nobody asked for its consent.");
        }
    }
    let rebound = Rebound { hop: leaf.chain_id, named: leaf.holder.clone(), by: by.clone(), terms };
    let holder = rebound.terms.holder.clone();
    Ok(Link { chain_id: sealed.chain_id, holder, rebound: Some(rebound), ..leaf.clone() })
}

/// Another instance of the same principal, which is of the domain whose key attests it, with another key.
fn check_holder(leaf: &Link, terms: &RebindTerms, keys: &KeySet) -> Result<(), Refusal> {
    let named = &leaf.holder;
    let (principal, Holder { instance, key }) = (named.instance.principal(), &terms.holder);
    require!(
        "CHN-062",
        principal.domain() == *keys.domain(),
        NOT_ALLOWED,
        "{principal} is of another domain."
    );
    let same = instance.principal() == principal && terms.from.principal() == principal;
    require!("CHN-062", same, NOT_ALLOWED, "It is not from one instance of {principal} to another.");
    let fresh = *instance != terms.from && *instance != named.instance && *key != named.key;
    require!("CHN-062", fresh, NOT_ALLOWED, "{instance} is no other instance, or has no other key.");
    Ok(())
}

/// The grantor's own word, about just this.
fn check_consent(
    above: Option<&Link>,
    leaf: &Link,
    terms: &RebindTerms,
    keys: &KeySet,
) -> Result<(), Refusal> {
    let signed =
        require_some!("CHN-063", terms.consent.as_ref(), NOT_ALLOWED, "Its grantor's consent is missing.");
    let grantor = above.map(|link| &link.holder);
    let opened =
        grantor.and_then(|grantor| Some((grantor, signed.open::<RebindConsent>(&[grantor.key]).ok()?)));
    let (grantor, consent) =
        require_some!("CHN-063", opened, NOT_ALLOWED, "Its grantor did not sign the consent.");
    consent.extensions.check()?;
    let to_this = consent.domain == *keys.domain()
        && consent.sender == grantor.instance
        && consent.hop == leaf.chain_id
        && (&consent.from, &consent.holder) == (&terms.from, &terms.holder)
        && consent.evidence == terms.evidence;
    require!("CHN-063", to_this, NOT_ALLOWED, "Its grantor consented to something else.");
    Ok(())
}

/// Each rebind is signed by the key that was the domain's for its leaf, as far as the leaf of the last link
/// tells (CHN-064): a rebind that is the last link is recorded at it, and every other one before it.
pub(super) fn check_signed_by(above: &[Link], leaf: &Link, last: LeafIndex) -> Result<(), Refusal> {
    let reason = Reason::TokenUntrusted;
    let keys = above.iter().filter_map(|link| link.rebound.as_ref());
    for key in keys.map(|rebound| &rebound.by) {
        require!("CHN-064", key.first_leaf < last, reason, "Rebind key {} began after leaf {last}.", key.id);
    }
    let key = leaf.rebound.as_ref().map(|rebound| &rebound.by);
    let covered = key.is_none_or(|key| key.covers(last));
    require!("CHN-064", covered, reason, "The rebind key is not for leaf {last}.");
    Ok(())
}
