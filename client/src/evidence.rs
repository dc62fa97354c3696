//! Evidence of what was done: a bundle that anyone can check, offline, with the domain's keys.

use countersign_protocol::{
    explain::{Bundle, Explanation},
    id::InvocationId,
    payload::Payload,
};
use countersign_wire::v1::{self, ledger_client::LedgerClient};

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
    invoke::Answer,
    limits::MESSAGE_MAX_BYTES,
    stream::Streamed,
};

impl Agent {
    /// Everything that is needed to check one invocation offline: the bytes of a bundle, which has
    /// been verified here and stands on the ledger that this agent has seen. Parties of its chain,
    /// its callee and admins.
    pub async fn explain(&self, invocation: InvocationId) -> Result<Vec<u8>, Error> {
        let (bytes, _) = self.evidence(invocation).await?;
        Ok(bytes)
    }

    /// Checks that the ledger holds what an answer says: the permission, the callee's receipt, and
    /// the grant and every contract behind them, each proven to be in it.
    pub async fn prove(&self, answer: &Answer) -> Result<Explanation, Error> {
        let (_, explanation) = self.evidence(answer.invocation).await?;
        let end = explanation.end.as_ref();
        let receipted =
            end.is_some_and(|end| end.leaf == answer.result && end.receipt.as_ref() == Some(&answer.receipt));
        match receipted && explanation.intent == answer.intent {
            true => Ok(explanation),
            false => Err(deceived(About::Evidence, "the ledger tells of another answer")),
        }
    }

    /// The same for a stream: the ledger also holds what both sides signed of the chunks.
    pub async fn prove_stream(&self, streamed: &Streamed) -> Result<Explanation, Error> {
        let (_, explanation) = self.evidence(streamed.invocation).await?;
        let same = explanation.end.as_ref().is_some_and(|end| {
            end.leaf == streamed.result
                && end.receipt.as_ref() == Some(&streamed.receipt)
                && end.streamed.as_ref() == Some(&streamed.account)
        });
        match same && explanation.intent == streamed.intent {
            true => Ok(explanation),
            false => Err(deceived(About::Evidence, "the ledger tells of another stream")),
        }
    }

    async fn evidence(&self, invocation: InvocationId) -> Result<(Vec<u8>, Explanation), Error> {
        let request = v1::ExplainRequest {
            trust_domain: self.domain().to_string(),
            invocation_id: invocation.to_string(),
        };
        let reply = self.call("explain the invocation", request, async |channel, request| {
            let client = LedgerClient::new(channel).max_decoding_message_size(MESSAGE_MAX_BYTES);
            { client }.explain(request).await
        });
        let bytes = reply.await?.bundle;
        let bundle = Bundle::from_bytes(&bytes).map_err(|error| deceived(About::Evidence, error))?;
        if bundle.invocation_id != invocation {
            return Err(deceived(About::Evidence, "it is of another invocation"));
        }
        let explanation =
            bundle.verify(&self.keys()).map_err(|refusal| deceived(About::Evidence, refusal))?;
        self.ledger().check_presented(&bundle.checkpoint).await?;
        Ok((bytes, explanation))
    }
}
