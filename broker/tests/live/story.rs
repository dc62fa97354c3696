//! The whole way, with the real SDK against the real broker.

use std::fs;

use countersign::Target;
use countersign_protocol::{
    audit::Audit, explain::Bundle, ledger::SignedCheckpoint, payload::Payload, refusal::Reason, trust::KeySet,
};
use countersign_wire::v1::{self, ledger_client::LedgerClient};

use crate::support::{Agent, DOMAIN, Story};

#[tokio::test]
async fn from_a_grant_to_an_explanation_and_across_a_restart() {
    let mut story = Box::pin(Story::begin()).await;
    assert_eq!(story.contracted.rights().budget.ceiling.get(), 100, "what the second round came to");
    let answer = story.read("/data/eu/q3.csv").await.unwrap();
    assert_eq!(answer.body, b"file:/data/eu/q3.csv said Ok(\"please\")");

    // Alice, who made no call, proves to herself what was done in her name; an auditor does so with
    // nothing but the public keys.
    let bundle = story.alice.explain(answer.invocation).await.unwrap();
    let pinned = fs::read_to_string(story.broker.config.public_dir().join("keys.txt")).unwrap();
    let keys: KeySet = pinned.trim_end().parse().unwrap();
    let explanation = Bundle::from_bytes(&bundle).unwrap().verify(&keys).unwrap();
    assert_eq!(explanation.intent, answer.intent);

    story.broker.restart().await;
    let again = story.read("/data/eu/q4.csv").await.unwrap();
    assert!(again.intent > answer.result, "the ledger goes on where it was");
    let revoked = story.granted.chain_id();
    let preview = story.alice.preview_revocation(&Target::Chain(revoked)).await.unwrap();
    assert_eq!(preview.chains, 2);
    story.alice.revoke(&Target::Chain(revoked), 2).await.unwrap();
    let refused = story.read("/data/eu/q3.csv").await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Revoked), "{refused}");
    audit(&story.root, keys).await;
}

/// Replays the whole ledger, as an auditor with the public keys does.
pub(crate) async fn audit(root: &Agent, keys: KeySet) {
    let mut ledger = LedgerClient::new(root.channel().await);
    let request = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
    let checkpoint = ledger.get_checkpoint(request).await.unwrap().into_inner().checkpoint;
    let checkpoint: SignedCheckpoint = checkpoint.parse().unwrap();
    let (mut audit, mut first_leaf) = (Audit::begin(keys), 0);
    while first_leaf < checkpoint.peek_unverified().size.get() {
        let request = v1::ListEntriesRequest { trust_domain: DOMAIN.into(), first_leaf, page_size: 0 };
        let page = ledger.list_entries(request).await.unwrap().into_inner();
        audit = page.entries.iter().fold(audit, |audit, entry| audit.entry(entry));
        first_leaf = page.next_leaf;
    }
    let report = audit.finish(&checkpoint);
    assert!(report.is_clean(), "{report:?}");
}
