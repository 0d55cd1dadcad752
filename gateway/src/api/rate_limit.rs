//! How often one caller may ask: by API key or by an operator's log-in where there is a good one, else by address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use assay_protocol::Bytes32;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request},
    response::{IntoResponse, Response},
};
use governor::middleware::StateInformationMiddleware;
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{GovernorConfig, GovernorConfigBuilder},
    key_extractor::KeyExtractor,
};

use super::{ApiError, extract::bearer, peer::peer};
use crate::{
    app::App,
    auth::{KnownKeys, Secret, SecretKind},
};

/// A rate: `burst` at once, then one each `period`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub period: Duration,
    pub burst: u32,
}

/// The buckets behind one layer.
#[derive(Clone, Debug)]
pub struct Buckets<K: KeyExtractor> {
    config: Arc<GovernorConfig<K, StateInformationMiddleware>>,
    /// How long one more request takes to become free.
    pub period: Duration,
}

/// A layer that answers 429 in OpenAI's shape.
pub type RateLayer<K> = GovernorLayer<K, StateInformationMiddleware, Body>;

impl Rate {
    /// `per_second` in the long run.
    pub fn per_second(per_second: u32, burst: u32) -> Self {
        Self { period: Duration::from_secs(1) / per_second.max(1), burst }
    }

    /// `per_minute` in the long run, and at once.
    pub fn per_minute(per_minute: u32) -> Self {
        Self { period: Duration::from_secs(60) / per_minute.max(1), burst: per_minute }
    }

    /// Fresh buckets of this rate.
    pub fn buckets<K: KeyExtractor>(self, by: K) -> Buckets<K> {
        let mut builder = GovernorConfigBuilder::default();
        let mut builder = builder.key_extractor(by).use_headers();
        builder.period(self.period).burst_size(self.burst);
        let config = builder.finish().expect("settings are checked: no rate is zero");
        Buckets { config: Arc::new(config), period: self.period }
    }
}

/// The layer over these buckets.
pub fn layer<K: KeyExtractor>(buckets: &Buckets<K>) -> RateLayer<K> {
    let period = buckets.period;
    GovernorLayer::new(buckets.config.clone()).error_handler(move |error| refuse(error, period))
}

/// By API key; without one that is known, by address: anybody can make keys up.
#[derive(Clone, Debug)]
pub struct ByKey(pub Arc<KnownKeys>);

/// By address only.
#[derive(Clone, Copy, Debug)]
pub struct ByAddress;

/// By an operator's log-in, however often it is renewed; without one that is good, by address.
#[derive(Clone, Debug)]
pub struct BySession(App);

impl BySession {
    pub fn of(app: &App) -> Self {
        Self(app.clone())
    }
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// SHA-256 of the key.
    Key(Bytes32),
    /// The log-in's name.
    Login(String),
    Address(IpAddr),
}

impl KeyExtractor for ByKey {
    type Key = Bucket;

    fn extract<T>(&self, request: &Request<T>) -> Result<Bucket, GovernorError> {
        let key =
            bearer(request.headers()).and_then(|text| Secret::parse(SecretKind::ApiKey, text));
        let known = key.map(|key| key.hash()).filter(|key| self.0.contains(*key));
        Ok(known.map_or_else(|| address(request), Bucket::Key))
    }
}

impl KeyExtractor for BySession {
    type Key = Bucket;

    fn extract<T>(&self, request: &Request<T>) -> Result<Bucket, GovernorError> {
        let sessions = self.0.keys.operator_sessions();
        let session = bearer(request.headers()).and_then(|token| sessions.read(token));
        Ok(session.map_or_else(|| address(request), |session| Bucket::Login(session.jti)))
    }
}

impl KeyExtractor for ByAddress {
    type Key = Bucket;

    fn extract<T>(&self, request: &Request<T>) -> Result<Bucket, GovernorError> {
        Ok(address(request))
    }
}

/// An IPv6 customer has a whole /64.
fn address<T>(request: &Request<T>) -> Bucket {
    Bucket::Address(match peer(request.extensions()).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64))),
        ip => ip,
    })
}

fn refuse(error: GovernorError, period: Duration) -> Response {
    match error {
        GovernorError::TooManyRequests { wait_time, headers } => {
            // The governor rounds down to seconds; the next one is never further off than a period.
            let wait = Duration::from_secs(wait_time.saturating_add(1)).min(period);
            let mut response = ApiError::rate_limited(wait).into_response();
            for (name, value) in headers.into_iter().flatten() {
                if let Some(name) = name.filter(|name| name.as_str().starts_with("x-ratelimit")) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        _ => ApiError::panicked().into_response(),
    }
}

/// Puts the governor's figures into OpenAI's headers; resets are Go durations there.
pub fn openai_headers(mut response: Response, period: Duration) -> Response {
    let headers = response.headers_mut();
    let limit = take(headers, &HeaderName::from_static("x-ratelimit-limit"));
    let remaining = take(headers, &HeaderName::from_static("x-ratelimit-remaining"));
    headers.remove("x-ratelimit-after");
    if let (Some(limit), Some(remaining)) = (limit, remaining) {
        let reset = go_duration(period.saturating_mul(limit.saturating_sub(remaining)));
        headers.insert("x-ratelimit-limit-requests", HeaderValue::from(limit));
        headers.insert("x-ratelimit-remaining-requests", HeaderValue::from(remaining));
        if let Ok(reset) = HeaderValue::try_from(reset) {
            headers.insert("x-ratelimit-reset-requests", reset);
        }
    }
    response
}

fn take(headers: &mut HeaderMap, name: &HeaderName) -> Option<u32> {
    headers.remove(name)?.to_str().ok()?.parse().ok()
}

/// `20ms`, `1s`, `6m0s`, `1h0m0s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{}ms", duration.as_millis()),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Forgets callers whose buckets are full again, so that the map stays as small as its traffic.
pub fn forget_idle<K: KeyExtractor>(buckets: &Buckets<K>) {
    buckets.config.limiter().retain_recent();
    buckets.config.limiter().shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    use super::*;

    fn of(peer: &str, authorization: Option<&str>) -> Bucket {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let known = Arc::<KnownKeys>::default();
        known.note(key(1).hash());
        ByKey(known).extract(&request).unwrap()
    }

    fn key(random: u8) -> Secret {
        Secret::new(SecretKind::ApiKey, [random; 20])
    }

    #[test]
    fn a_key_has_its_own_bucket_wherever_it_asks_from() {
        let bearer = format!("Bearer {}", key(1).reveal());
        assert_eq!(of("10.0.0.1:1", Some(&bearer)), of("10.0.0.2:2", Some(&bearer)));
        assert_ne!(of("10.0.0.1:1", Some(&bearer)), of("10.0.0.1:1", None));
    }

    #[test]
    fn made_up_keys_share_the_bucket_of_their_address() {
        assert_eq!(of("10.0.0.1:1", Some("Bearer nonsense")), of("10.0.0.1:2", None));
        let made_up = format!("Bearer {}", key(2).reveal());
        assert_eq!(of("10.0.0.1:1", Some(&made_up)), of("10.0.0.1:2", None));
        assert_eq!(of("[2001:db8::1]:1", None), of("[2001:db8::2]:1", None));
        assert_ne!(of("[2001:db8::1]:1", None), of("[2001:db8:0:1::1]:1", None));
        assert_eq!(of("[::ffff:10.0.0.1]:1", None), of("10.0.0.1:1", None));
    }

    #[test]
    fn resets_are_go_durations() {
        for (ms, text) in
            [(0, "0ms"), (20, "20ms"), (1_000, "1s"), (360_000, "6m0s"), (3_600_000, "1h0m0s")]
        {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
