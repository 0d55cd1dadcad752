//! A payment provider for tests and the demo: Stripe's protocol at another address. It pays on command,
//! signs its webhooks as Stripe does, and can be slow, broken or busy. No money is in it.

mod api;
mod events;
mod objects;
mod page;
mod trouble;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

pub use events::{Delivery, signature};
pub use objects::{RefundStatus, Session, StripeRefund};
pub use trouble::{Gate, Trouble};

/// The key that its only customer has.
pub const SECRET_KEY: &str = "sk_test_assay";
/// What its webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_assay";

/// A running fake. Its sessions are gone when it is dropped.
#[derive(Debug)]
pub struct FakeStripe {
    address: SocketAddr,
    shared: Shared,
    /// Ends with it.
    _serving: JoinSet<()>,
}

/// What its handlers share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Books>>);

/// Everything that it knows.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// By id, which ascends with time.
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) refunds: BTreeMap<String, StripeRefund>,
    /// What was answered under a key, and to which request.
    pub(crate) answered: HashMap<String, (String, u16, Value)>,
    pub(crate) troubles: VecDeque<Trouble>,
    pub(crate) numbers: u64,
    /// Refunds succeed at once unless a test wants to decide.
    pub(crate) refunds_wait: bool,
    /// What everybody is answered, whatever they ask.
    pub(crate) locked_out: Option<u16>,
    /// Where its pages are.
    pub(crate) url: String,
    /// Where webhooks go, for payments that somebody makes on its page.
    pub(crate) webhook: Option<String>,
}

impl FakeStripe {
    /// Starts one on a free port of loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a port");
        Self::on(listener, None)
    }

    /// Starts one here; payments on its pages are told to `webhook`.
    pub fn on(listener: TcpListener, webhook: Option<String>) -> Self {
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Shared::default();
        {
            let mut books = shared.lock();
            books.url = format!("http://{address}/");
            books.webhook = webhook;
        }
        let router = api::router(shared.clone()).merge(page::router(shared.clone()));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            axum::serve(listener, router).await.expect("the fake serves");
        });
        Self { address, shared, _serving: serving }
    }

    /// `http://127.0.0.1:…/`, with the slash that the settings want.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The gateway's settings for it.
    pub fn settings(&self) -> String {
        format!(
            "[payments]\nstripe_secret_key = '{SECRET_KEY}'\nstripe_webhook_secret = '{WEBHOOK_SECRET}'\n\
             stripe_url = '{}'\nreconcile_each_s = 0\nprovider_wait_ms = 2000\n",
            self.url()
        )
    }

    /// The session as it is.
    ///
    /// # Panics
    /// When there is none of this id.
    pub fn session(&self, id: &str) -> Session {
        self.shared.lock().sessions[id].clone()
    }

    /// All sessions, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        self.shared.lock().sessions.values().cloned().collect()
    }

    /// The session that asks for this top-up.
    pub fn session_of(&self, top_up: &str) -> Session {
        let sessions = self.sessions();
        let found = sessions.into_iter().find(|session| session.client_reference_id == top_up);
        found.unwrap_or_else(|| panic!("no session asks for {top_up}"))
    }

    /// All refunds, in the order in which they were made.
    pub fn refunds(&self) -> Vec<StripeRefund> {
        self.shared.lock().refunds.values().cloned().collect()
    }

    /// The client pays, and the money is there: the event that says so.
    pub fn pay(&self, id: &str) -> Value {
        self.change(id, "checkout.session.completed", |session| session.pay())
    }

    /// The client pays, and the money is on its way: the event that says so, which means nothing yet.
    pub fn pay_later(&self, id: &str) -> Value {
        self.change(id, "checkout.session.completed", |session| session.status = "complete")
    }

    /// The money that was on its way arrived.
    pub fn arrive(&self, id: &str) -> Value {
        self.change(id, "checkout.session.async_payment_succeeded", |session| session.pay())
    }

    /// The money that was on its way did not arrive.
    pub fn fail(&self, id: &str) -> Value {
        self.change(id, "checkout.session.async_payment_failed", |session| session.failed = true)
    }

    /// Nobody paid in time.
    pub fn expire(&self, id: &str) -> Value {
        self.change(id, "checkout.session.expired", |session| session.status = "expired")
    }

    /// Forgets what it did under which key, as Stripe does after a day or more.
    pub fn forget_keys(&self) {
        self.shared.lock().answered.clear();
    }

    /// Somebody gives money back in Stripe's own pages.
    pub fn refund_by_hand(&self, id: &str, amount: i64) {
        let mut books = self.shared.lock();
        let payment = books.sessions[id].payment_intent.clone();
        let fields = [("payment_intent", payment), ("amount", amount.to_string())];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
        let (status, answer) = api::refund(&mut books, &fields);
        assert_eq!(status, 200, "{answer}");
    }

    /// So many pages are asked for by others, and nobody pays them.
    ///
    /// # Panics
    /// When there is no session to take them after.
    pub fn crowd(&self, number: usize) {
        let mut books = self.shared.lock();
        let like = books.sessions.values().next().cloned().expect("a session");
        for _ in 0..number {
            let id = books.id("cs");
            let payment_intent = books.id("pi");
            let session = Session {
                client_reference_id: format!("another's {id}"),
                payment_intent,
                status: "open",
                paid: false,
                id: id.clone(),
                created: now_s(),
                ..like.clone()
            };
            books.sessions.insert(id, session);
        }
    }

    /// A session is gone, as if it had never been.
    pub fn lose(&self, id: &str) {
        self.shared.lock().sessions.remove(id).expect("a session of this id");
    }

    /// Its customer's key counts no more: 401 or 403 is answered from now on, or nothing of the kind again.
    pub fn lock_out(&self, status: Option<u16>) {
        self.shared.lock().locked_out = status;
    }

    /// Everything was made that long ago.
    pub fn age(&self, by: Duration) {
        let mut books = self.shared.lock();
        books.sessions.values_mut().for_each(|session| session.created -= by.as_secs());
        books.refunds.values_mut().for_each(|refund| refund.created -= by.as_secs());
    }

    /// Refunds wait from now on until [`FakeStripe::end_refund`].
    pub fn let_refunds_wait(&self) {
        self.shared.lock().refunds_wait = true;
    }

    /// A refund that waits ends so; the event that says it.
    pub fn end_refund(&self, id: &str, status: RefundStatus) -> Value {
        let mut books = self.shared.lock();
        let refund = books.refunds.get_mut(id).expect("a refund of this id");
        refund.status = status;
        let (object, payment, amount) =
            (refund.json(), refund.payment_intent.clone(), refund.amount);
        if status == RefundStatus::Failed {
            let of_payment = books.sessions.values_mut().find(|s| s.payment_intent == payment);
            of_payment.expect("its payment").refunded -= amount;
        }
        books.event("refund.updated", object)
    }

    /// The next calls meet these troubles, one each.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.shared.lock().troubles.extend(troubles);
    }

    /// All troubles are over.
    pub fn no_trouble(&self) {
        self.shared.lock().troubles.clear();
    }

    fn change(&self, id: &str, kind: &str, change: impl FnOnce(&mut Session)) -> Value {
        self.shared.lock().change(id, kind, change)
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().expect("no handler panics while it holds this lock")
    }
}

impl Books {
    /// An id that sorts after all before it.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.numbers += 1;
        format!("{prefix}_test_{:08}", self.numbers)
    }

    pub(crate) fn change(
        &mut self,
        id: &str,
        kind: &str,
        change: impl FnOnce(&mut Session),
    ) -> Value {
        let session = self.sessions.get_mut(id).expect("a session of this id");
        change(session);
        let object = session.json();
        self.event(kind, object)
    }

    fn event(&mut self, kind: &str, object: Value) -> Value {
        let id = self.id("evt");
        objects::event(&id, kind, object)
    }
}

/// Unix seconds.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}
