//! From a chain that is held to a session under it.

use std::sync::{Arc, Mutex};

use countersign_protocol::{
    extension::Extensions,
    id::SessionId,
    key::PublicKey,
    ledger::LeafIndex,
    name::{InstanceId, PrincipalId},
    payload::Payload,
    session::{Ephemeral, EphemeralKey, SessionAnswer, SessionKeys, SessionOpening, Side, Strand},
    signed::Signed,
    token::Nonce,
};
use countersign_wire::v1::{self, mediation_client::MediationClient};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

use super::{Session, SessionTerms, Shared, Waiting, hearing::Hearing, saying::Saying};
use crate::{
    agent::Agent,
    clock::entropy,
    connection::{error_of, unavailable},
    error::{About, Error, deceived},
    feed::opening,
    held::Held,
    limits::{CALL_MAX, MESSAGE_MAX_BYTES, PROOF_LIFE, SESSION_WINDOW},
};

/// What the callee said to the opening, verified.
struct Answered {
    callee: InstanceId,
    key: PublicKey,
    keys: SessionKeys,
    requests: Strand,
    results: Strand,
}

impl Agent {
    /// Opens a session under a chain that this instance holds, with whichever instance of the callee the
    /// broker finds. The contracts of the chain must accept results in a session.
    pub async fn open_session(
        &self,
        held: &Held,
        callee: &PrincipalId,
        terms: SessionTerms,
    ) -> Result<Session, Error> {
        self.check_holds(held)?;
        self.check_standing()?;
        let ephemeral = Ephemeral::generate(&mut entropy());
        let opening = self.session_opening(held, callee, terms, ephemeral.public());
        let signed = self.sign(&opening);
        let (outgoing, mut inbound) = self.start_session(held, &signed).await?;
        let first = timeout(CALL_MAX, inbound.message()).await;
        let first = match first {
            Ok(first) => first.map_err(|status| error_of("open the session", &status))?,
            Err(_) => return Err(unavailable("open the session", "no answer came in time")),
        };
        let first = first.ok_or_else(|| unavailable("open the session", "the stream ended at once"))?;
        let answered = self.check_answer(&opening, &signed, ephemeral, &first.answer).await?;
        let opened = LeafIndex::new(first.opened_leaf);
        let opened = opened.ok_or_else(|| deceived(About::Session, "it names no leaf"))?;
        Ok(self.begin_session(held, &opening, outgoing, inbound, answered, opened))
    }

    fn session_opening(
        &self,
        held: &Held,
        callee: &PrincipalId,
        terms: SessionTerms,
        key: EphemeralKey,
    ) -> SessionOpening {
        let now = self.now();
        SessionOpening {
            domain: self.domain().clone(),
            session_id: SessionId::new(now, &mut entropy()),
            chain_id: held.chain_id(),
            activation_leaf: held.active().activation().leaf,
            caller: self.instance().clone(),
            callee: callee.clone(),
            key,
            sign_every: terms.sign_every,
            sign_within: terms.sign_within,
            nonce: Nonce::new(&mut entropy()),
            issued: now,
            expires: now.plus(PROOF_LIFE),
            channel: self.inner.identity.key().spki_hash(),
            extensions: Extensions::none(),
        }
    }

    async fn start_session(
        &self,
        held: &Held,
        signed: &Signed,
    ) -> Result<(mpsc::UnboundedSender<v1::OpenSessionRequest>, Streaming<v1::OpenSessionResponse>), Error>
    {
        let (outgoing, said) = mpsc::unbounded_channel();
        let first = v1::OpenSessionRequest {
            trust_domain: self.domain().to_string(),
            token: held.token().as_bytes().to_vec(),
            opening: signed.to_bytes(),
            ..Default::default()
        };
        // The other end is here.
        let _ = outgoing.send(first);
        let client = MediationClient::new(self.inner.connection.channel());
        let client = client.max_decoding_message_size(MESSAGE_MAX_BYTES);
        let mut client = client.max_encoding_message_size(MESSAGE_MAX_BYTES);
        let open = client.open_session(opening(UnboundedReceiverStream::new(said)));
        match timeout(CALL_MAX, open).await {
            Ok(Ok(stream)) => Ok((outgoing, stream.into_inner())),
            Ok(Err(status)) => Err(error_of("open the session", &status)),
            Err(_) => Err(unavailable("open the session", "no answer came in time")),
        }
    }

    /// The answer is signed by an instance of the callee, for this opening; from the two follow the keys.
    async fn check_answer(
        &self,
        opening: &SessionOpening,
        signed_opening: &Signed,
        ephemeral: Ephemeral,
        answer: &[u8],
    ) -> Result<Answered, Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let signed = Signed::from_bytes(answer).map_err(|error| bad(&error))?;
        let claimed: SessionAnswer = signed.peek_unverified().map_err(|error| bad(&error))?;
        if *claimed.callee.principal() != opening.callee {
            return Err(bad(&"it is by another callee"));
        }
        let known = self.known(&claimed.callee).await?;
        let answer: SessionAnswer = signed.open(&[known.key]).map_err(|error| bad(&error))?;
        let digest = signed_opening.digest();
        let fits = [
            (answer.domain == *self.domain(), "is of another domain"),
            (answer.session_id == opening.session_id, "is for another session"),
            (answer.opening == digest, "is for another opening"),
            (answer.extensions.check().is_ok(), "says something critical that is not known here"),
        ];
        if let Some((_, what)) = fits.iter().find(|(fits, _)| !fits) {
            return Err(bad(&format!("it {what}")));
        }
        let answered = signed.digest();
        let keys = ephemeral.agree(&answer.key, &digest, &answered).map_err(|error| bad(&error))?;
        let begin = |side| Strand::begin(side, &digest, &answered);
        let (requests, results) = (begin(Side::Caller), begin(Side::Callee));
        Ok(Answered { callee: answer.callee, key: known.key, keys, requests, results })
    }

    fn begin_session(
        &self,
        held: &Held,
        opening: &SessionOpening,
        outgoing: mpsc::UnboundedSender<v1::OpenSessionRequest>,
        inbound: Streaming<v1::OpenSessionResponse>,
        answered: Answered,
        opened: LeafIndex,
    ) -> Session {
        let Answered { callee, key, keys, requests, results } = answered;
        let saying = Saying {
            id: opening.session_id,
            key: keys.requests,
            strand: requests,
            sign_every: opening.sign_every,
            covered: 0,
            since: None,
            outgoing: Some(outgoing),
        };
        let shared = Arc::new(Shared {
            agent: self.clone(),
            id: opening.session_id,
            callee: opening.callee.clone(),
            saying: Mutex::new(saying),
            waiting: Mutex::new(Waiting::default()),
            window: Semaphore::new(SESSION_WINDOW),
            over: watch::Sender::new(None),
        });
        let (alive, dropped) = watch::channel(());
        let hearing = Hearing {
            shared: Arc::clone(&shared),
            callee: key,
            key: keys.results,
            strand: results,
            covered: 0,
            sign_every: opening.sign_every,
            sign_within: opening.sign_within,
            per_call: held.rights().budget.per_call,
        };
        tokio::spawn(hearing.run(inbound, dropped));
        Session { shared, callee, opened, _alive: Arc::new(alive) }
    }
}
