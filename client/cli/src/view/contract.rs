//! A contract that both parties signed.

use countersign_protocol::contract::{ContractBody, Party};
use serde::Serialize;

use super::RightsView;
use crate::{table::Page, terminal::View};

/// A contract's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ContractView {
    pub(crate) contract_id: String,
    pub(crate) hash: String,
    pub(crate) negotiation_id: String,
    pub(crate) transcript: String,
    pub(crate) trust_domain: String,
    pub(crate) grantor: PartyView,
    pub(crate) grantee: PartyView,
    pub(crate) originator: String,
    pub(crate) grant_id: String,
    pub(crate) parent: String,
    pub(crate) depth: u32,
    pub(crate) rights: RightsView,
    pub(crate) rebind: &'static str,
    pub(crate) disclosure: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) acceptance: &'static str,
    pub(crate) failure: &'static str,
    pub(crate) max_staleness_ms: u64,
    pub(crate) purpose: String,
    pub(crate) seen: SeenView,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PartyView {
    pub(crate) instance: String,
    pub(crate) key: String,
    pub(crate) configuration: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SeenView {
    pub(crate) size: u64,
    pub(crate) root: String,
}

impl From<&Party> for PartyView {
    fn from(party: &Party) -> Self {
        Self {
            instance: party.instance.to_string(),
            key: party.key.to_string(),
            configuration: party.configuration.to_string(),
        }
    }
}

impl From<&ContractBody> for ContractView {
    fn from(body: &ContractBody) -> Self {
        use countersign_protocol::contract::{Acceptance, Disclosure, FailurePolicy, Offline, Rebind};
        Self {
            contract_id: body.contract_id.to_string(),
            hash: body.hash().to_string(),
            negotiation_id: body.negotiation_id.to_string(),
            transcript: body.transcript.to_string(),
            trust_domain: body.domain.to_string(),
            grantor: PartyView::from(&body.grantor),
            grantee: PartyView::from(&body.grantee),
            originator: body.originator.to_string(),
            grant_id: body.grant_id.to_string(),
            parent: body.parent.to_string(),
            depth: body.depth,
            rights: RightsView::from(&body.rights),
            rebind: match body.rebind {
                Rebind::Never => "never",
                Rebind::GrantorConsent => "grantor_consent",
                Rebind::Domain => "domain",
            },
            disclosure: match body.disclosure {
                Disclosure::Full => "full",
            },
            offline: match body.offline {
                Offline::Forbidden => "forbidden",
            },
            acceptance: match body.acceptance {
                Acceptance::SignedReceipt => "signed_receipt",
                Acceptance::SessionResult => "session_result",
            },
            failure: match body.failure {
                FailurePolicy::SettleReserved => "settle_reserved",
            },
            max_staleness_ms: body.max_staleness.as_millis(),
            purpose: body.purpose.to_string(),
            seen: SeenView { size: body.seen.size.get(), root: body.seen.root.to_string() },
        }
    }
}

impl View for ContractView {
    fn write(&self, page: &mut Page) {
        page.heading(&format!("Contract {}", self.contract_id));
        let mut fields = vec![
            ("grantor", self.grantor.instance.clone()),
            ("grantee", self.grantee.instance.clone()),
            ("originator", self.originator.clone()),
            ("grant", self.grant_id.clone()),
            ("parent chain", self.parent.clone()),
            ("depth", self.depth.to_string()),
        ];
        fields.extend(self.rights.fields());
        fields.extend([
            ("rebind", self.rebind.to_owned()),
            ("disclosure", self.disclosure.to_owned()),
            ("without the broker", self.offline.to_owned()),
            ("completed by", self.acceptance.to_owned()),
            ("if it fails", self.failure.to_owned()),
            ("revocations known", format!("at most {} ms ago", self.max_staleness_ms)),
            ("purpose digest", self.purpose.clone()),
            ("hash", self.hash.clone()),
            ("negotiation", self.negotiation_id.clone()),
            ("log seen", format!("{} entries, root {}", self.seen.size, self.seen.root)),
        ]);
        page.fields(&fields);
    }
}
