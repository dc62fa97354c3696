use super::{open, worthless};
use crate::{
    contract::{ContractBody, Party},
    digest::ChainId,
    domain::ContractFinalized,
    identity::InstanceStatement,
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
    token::{Token, UnverifiedToken},
    trust::KeySet,
};

/// What a finalized contract amounts to.
#[derive(Debug)]
pub(in crate::explain) struct Conclusion {
    pub(in crate::explain) body: ContractBody,
    pub(in crate::explain) token: Token,
}

/// Both parties signed the contract, and the token's last hop is the one that it becomes, on the
/// parent that it names.
pub(in crate::explain) fn check_contract(
    keys: &KeySet,
    at: Timestamp,
    event: &ContractFinalized,
    parent: ChainId,
    grantor: &InstanceStatement,
    grantee: &InstanceStatement,
) -> Result<Conclusion, Refusal> {
    let invalid = Reason::BundleInvalid;
    let body: ContractBody = open("LOG-038", &event.contract, &[grantor.key, grantee.key])?;
    body.check_extensions().map_err(worthless("LOG-038"))?;
    let id = body.contract_id;
    require!("LOG-038", body.domain == *keys.domain(), invalid, "Contract {id} is of another domain.");
    require!("LOG-038", body.negotiation_id == event.negotiation_id, invalid, "It ends another negotiation.");
    let parties = is_party(&body.grantor, grantor) && is_party(&body.grantee, grantee);
    require!("LOG-038", parties, invalid, "Contract {id} names other parties than its signers.");
    require!("LOG-038", body.parent == parent, invalid, "Contract {id} is on another parent.");
    require!("LOG-038", at < body.rights.not_after, invalid, "Contract {id} was over before it began.");
    let token =
        UnverifiedToken::from_bytes(event.token.clone()).verify(keys).map_err(worthless("LOG-038"))?;
    let signed = body.hop_terms().chain_id(parent, &grantor.key);
    require!("LOG-038", token.chain_id() == signed, invalid, "The token of {id} is not what both signed.");
    require!("LOG-038", event.chain_id == signed, invalid, "The entry of {id} names another chain.");
    let grant = token.grant();
    let root = body.originator == grant.originator && body.grant_id == grant.grant_id;
    require!("LOG-038", root, invalid, "Contract {id} names another grant.");
    require!("LOG-038", body.depth as usize == token.depth(), invalid, "Contract {id} is at another depth.");
    Ok(Conclusion { body, token })
}

fn is_party(party: &Party, record: &InstanceStatement) -> bool {
    party.instance == record.instance
        && party.key == record.key
        && party.configuration == record.configuration
}
