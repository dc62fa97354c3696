//! A token: the grant and the hops after it.

use countersign_protocol::{
    key::PublicKey,
    token::{EvidenceKind, GrantTerms, Stated, Token},
};
use serde::Serialize;

use super::RightsView;
use crate::{
    table::{GOOD, Page, SAID},
    terminal::View,
};

/// What a token says, and whether that was verified.
#[derive(Debug, Serialize)]
pub(crate) struct TokenView {
    /// Whether every signature and every narrowing was verified. Times, activation and revocation are
    /// not a token's to show.
    pub(crate) verified: bool,
    pub(crate) trust_domain: String,
    pub(crate) grant_id: String,
    pub(crate) originator: String,
    /// `signed` by the originator's own key, or `asserted_by_domain`.
    pub(crate) evidence: &'static str,
    pub(crate) evidence_digest: String,
    pub(crate) links: Vec<TokenLinkView>,
}

/// The grant or a hop.
#[derive(Debug, Serialize)]
pub(crate) struct TokenLinkView {
    /// Only of a token that was verified.
    pub(crate) chain_id: Option<String>,
    pub(crate) holder: String,
    pub(crate) holder_key: String,
    /// Who signed the hop; the trust domain signs the grant.
    pub(crate) grantor_key: Option<String>,
    pub(crate) contract_hash: Option<String>,
    /// From whom the holder has taken it over, where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taken_over_from: Option<String>,
    pub(crate) rights: RightsView,
}

impl TokenView {
    /// A token that was verified.
    pub(crate) fn verified(token: &Token) -> Self {
        let grant = token.grant();
        let mut grantor: Option<PublicKey> = None;
        let links = token.links().map(|link| {
            let view = TokenLinkView {
                chain_id: Some(link.chain_id.to_string()),
                holder: link.holder.instance.to_string(),
                holder_key: link.holder.key.to_string(),
                grantor_key: grantor.map(|key| key.to_string()),
                contract_hash: link.contract.map(|hash| hash.to_string()),
                taken_over_from: link.rebound.as_ref().map(|it| it.terms.from.to_string()),
                rights: RightsView::from(&link.rights),
            };
            grantor = Some(link.holder.key);
            view
        });
        Self { links: links.collect(), ..Self::of(true, grant) }
    }

    /// What a token only claims.
    pub(crate) fn claimed(grant: &GrantTerms, blocks: &[(PublicKey, Stated)]) -> Self {
        let first = TokenLinkView {
            chain_id: None,
            holder: grant.holder.instance.to_string(),
            holder_key: grant.holder.key.to_string(),
            grantor_key: None,
            contract_hash: None,
            taken_over_from: None,
            rights: RightsView::from(&grant.rights),
        };
        let mut links = vec![first];
        for (signer, block) in blocks {
            match block {
                Stated::Hop(hop) => links.push(TokenLinkView {
                    chain_id: None,
                    holder: hop.holder.instance.to_string(),
                    holder_key: hop.holder.key.to_string(),
                    grantor_key: Some(signer.to_string()),
                    contract_hash: Some(hop.contract.to_string()),
                    taken_over_from: None,
                    rights: RightsView::from(&hop.rights),
                }),
                Stated::Rebind(rebind) => {
                    let Some(link) = links.last_mut() else { continue };
                    link.holder = rebind.holder.instance.to_string();
                    link.holder_key = rebind.holder.key.to_string();
                    link.taken_over_from = Some(rebind.from.to_string());
                }
            }
        }
        Self { links, ..Self::of(false, grant) }
    }

    fn of(verified: bool, grant: &GrantTerms) -> Self {
        Self {
            verified,
            trust_domain: grant.domain.to_string(),
            grant_id: grant.grant_id.to_string(),
            originator: grant.originator.to_string(),
            evidence: match grant.evidence.kind {
                EvidenceKind::Signed => "signed",
                EvidenceKind::AssertedByDomain => "asserted_by_domain",
            },
            evidence_digest: grant.evidence.digest.to_string(),
            links: Vec::new(),
        }
    }
}

impl View for TokenView {
    fn write(&self, page: &mut Page) {
        if self.verified {
            let domain = &self.trust_domain;
            page.marked(GOOD, "✓", &format!("Every signature leads back to the key of {domain}, and each hop is within the one before it."));
            page.marked(SAID, "?", "A token does not show whether it is activated, revoked or used up.");
        } else {
            page.marked(SAID, "!", "NOT VERIFIED: anyone can have written this.");
        }
        page.heading(&format!("Grant {} of {}", self.grant_id, self.trust_domain));
        let how = match self.evidence {
            "signed" => "signed for it",
            _ => "is said by the domain to want it",
        };
        page.node(&[], &[self.originator.clone(), format!("  {how}, digest {}", self.evidence_digest)]);
        let mut ancestors = vec![false];
        for link in &self.links {
            page.node(&ancestors, &link.lines());
            ancestors.push(false);
        }
    }
}

impl TokenLinkView {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.holder.clone(), format!("  key {}", self.holder_key)];
        lines.extend(self.taken_over_from.iter().map(|from| format!("  taken over from {from}")));
        lines.extend(self.grantor_key.iter().map(|key| format!("  hop signed by {key}")));
        lines.extend(self.contract_hash.iter().map(|hash| format!("  contract of hash {hash}")));
        lines.extend(self.rights.lines());
        lines.extend(self.chain_id.iter().map(|chain| format!("  chain {chain}")));
        lines
    }
}
