//! Every route, once: the table that serves is also the document.

use std::any::Any;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{OpenApi, openapi::OpenApi as Document};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    api::{
        ApiError, admin, chat_completions, completions, connect, console, credits, embeddings,
        enrol, health, log, models,
        observe::observe,
        operator, payments,
        rate_limit::{self, ByAddress, ByKey, BySession, Rate},
        receipts, requests, responses, verification,
    },
    app::App,
    document::finished,
};

/// The title page of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Assay gateway",
        description = "Language models served by strangers' machines, with answers that are checked. \
            `/v1` is OpenAI's dialect; `/admin/v1` is for whoever runs the gateway. Amounts are \
            integers of 1e-9 credit (`*_nano`; one credit is one US dollar); times are Unix \
            milliseconds (`*_ms`). Every error has OpenAI's shape.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "openai", description = "What OpenAI's SDKs call"),
        (name = "credits", description = "Credit for money, and back"),
        (name = "log", description = "What anybody may read, to check receipts and this gateway"),
        (name = "nodes", description = "What nodes call"),
        (name = "verification", description = "What anybody may check the gateway by"),
        (name = "operators", description = "What operators of nodes call"),
        (name = "admin", description = "What whoever runs the gateway calls"),
        (name = "operations", description = "What monitoring calls"),
    ),
)]
struct TitlePage;

/// The routes, and what has to be done for them from time to time.
#[derive(Debug)]
pub struct Routes<Idle> {
    pub router: Router,
    /// Forgets the rate buckets of callers who have not come back.
    pub idle_buckets: Idle,
}

/// Everything this gateway answers.
pub fn router(app: &App) -> Routes<impl Fn() + Send + use<>> {
    let rates = Rates::of(app);
    let (routes, document) = table(Some(&rates)).split_for_parts();
    let router = routes
        .route("/", get(async || Redirect::temporary("/docs/")))
        .route("/console", get(console::at_its_slash))
        .route("/console/", get(console::page))
        .route("/console/{file}", get(console::file))
        .route("/node/v1/connect", get(connect::connect))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", finished(document)))
        .fallback(unknown_url)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(app.config.limits.body_bytes_max))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe))
        .with_state(app.clone());
    Routes { router, idle_buckets: move || rates.forget_idle() }
}

/// The document of the routes.
pub fn document() -> Document {
    finished(table(None).split_for_parts().1)
}

/// The document as it is committed and served.
pub fn document_json() -> String {
    let document = document().to_pretty_json().expect("a document of ours is JSON");
    format!("{document}\n")
}

fn table(rates: Option<&Rates>) -> OpenApiRouter<App> {
    let clients = OpenApiRouter::new()
        .routes(routes!(chat_completions::create))
        .routes(routes!(completions::create))
        .routes(routes!(responses::create))
        .routes(routes!(embeddings::create))
        .routes(routes!(models::list))
        .routes(routes!(credits::find))
        .routes(routes!(credits::entries))
        .routes(routes!(credits::usage))
        .routes(routes!(requests::list))
        .routes(routes!(models::find))
        .routes(routes!(payments::begin))
        .routes(routes!(payments::list))
        .routes(routes!(payments::find))
        .routes(routes!(payments::give_back, payments::refunds))
        .routes(routes!(receipts::find))
        .routes(routes!(receipts::evidence));
    let log = OpenApiRouter::new()
        .routes(routes!(log::keys))
        .routes(routes!(log::checkpoint))
        .routes(routes!(log::tile))
        .routes(routes!(log::inclusion))
        .routes(routes!(log::consistency));
    let enrolment = OpenApiRouter::new().routes(routes!(enrol::enrol));
    let login = OpenApiRouter::new()
        .routes(routes!(admin::login::login))
        .routes(routes!(operator::login::sign_up))
        .routes(routes!(operator::login::login))
        .routes(routes!(operator::login::refresh));
    let operators = OpenApiRouter::new()
        .routes(routes!(operator::login::logout))
        .routes(routes!(operator::profile::me))
        .routes(routes!(operator::profile::set_address))
        .routes(routes!(operator::nodes::list))
        .routes(routes!(operator::nodes::find))
        .routes(routes!(operator::reputation::list))
        .routes(routes!(operator::nodes::enrolment_token))
        .routes(routes!(operator::jobs::list))
        .routes(routes!(operator::jobs::running))
        .routes(routes!(operator::jobs::find))
        .routes(routes!(operator::earnings::earnings))
        .routes(routes!(operator::withdrawals::create, operator::withdrawals::list))
        .routes(routes!(operator::withdrawals::cancel))
        .routes(routes!(operator::reasons::list));
    let admins = OpenApiRouter::new()
        .routes(routes!(admin::accounts::create, admin::accounts::list))
        .routes(routes!(admin::accounts::find))
        .routes(routes!(admin::accounts::grant))
        .routes(routes!(admin::accounts::set_operator))
        .routes(routes!(admin::keys::create, admin::keys::list))
        .routes(routes!(admin::keys::revoke))
        .routes(routes!(admin::keys::rotate))
        .routes(routes!(admin::operators::create, admin::operators::list))
        .routes(routes!(admin::operators::find))
        .routes(routes!(admin::operators::enrolment_token))
        .routes(routes!(admin::nodes::list))
        .routes(routes!(admin::nodes::find, admin::nodes::change))
        .routes(routes!(admin::nodes::ban))
        .routes(routes!(admin::nodes::unban))
        .routes(routes!(admin::jobs::list))
        .routes(routes!(admin::jobs::find))
        .routes(routes!(admin::verification::look))
        .routes(routes!(admin::verification::of_job))
        .routes(routes!(admin::audit::audit))
        .routes(routes!(admin::audit::log))
        .routes(routes!(admin::payments::reconcile))
        .routes(routes!(admin::payments::settle))
        .routes(routes!(admin::invitations::create, admin::invitations::list))
        .routes(routes!(admin::invitations::secret))
        .routes(routes!(admin::withdrawals::list))
        .routes(routes!(admin::withdrawals::export))
        .routes(routes!(admin::withdrawals::approve))
        .routes(routes!(admin::withdrawals::reject))
        .routes(routes!(admin::withdrawals::sent))
        .routes(routes!(admin::withdrawals::failed));
    let operations = OpenApiRouter::new()
        .routes(routes!(verification::epochs))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(payments::notify));
    let limited = Limited { clients, enrolment, login, operators };
    let limited = match rates {
        Some(rates) => rates.limit(limited),
        None => limited,
    };
    let Limited { clients, enrolment, login, operators } = limited;
    OpenApiRouter::with_openapi(TitlePage::openapi())
        .merge(clients)
        .merge(enrolment)
        .merge(login)
        .merge(admins)
        .merge(log)
        .merge(operators)
        .merge(operations)
}

/// The routes that may be asked so often only.
struct Limited {
    clients: OpenApiRouter<App>,
    enrolment: OpenApiRouter<App>,
    login: OpenApiRouter<App>,
    operators: OpenApiRouter<App>,
}

/// The buckets of each kind of caller.
struct Rates {
    clients: rate_limit::Buckets<ByKey>,
    operators: rate_limit::Buckets<BySession>,
    enrolments: rate_limit::Buckets<ByAddress>,
    logins: rate_limit::Buckets<ByAddress>,
}

impl Rates {
    fn of(app: &App) -> Self {
        let settings = &app.config.rate_limit;
        let clients = Rate::per_second(settings.per_second, settings.burst);
        Self {
            clients: clients.buckets(ByKey(app.known_keys.clone())),
            operators: clients.buckets(BySession::of(app)),
            enrolments: Rate::per_minute(settings.enrolments_per_minute).buckets(ByAddress),
            logins: Rate::per_minute(settings.logins_per_minute).buckets(ByAddress),
        }
    }

    fn limit(&self, routes: Limited) -> Limited {
        let period = self.clients.period;
        let headers = middleware::map_response(move |response: Response| async move {
            rate_limit::openai_headers(response, period)
        });
        let clients = routes.clients.route_layer(rate_limit::layer(&self.clients));
        Limited {
            clients: clients.route_layer(headers),
            operators: routes.operators.route_layer(rate_limit::layer(&self.operators)),
            enrolment: routes.enrolment.route_layer(rate_limit::layer(&self.enrolments)),
            login: routes.login.route_layer(rate_limit::layer(&self.logins)),
        }
    }

    fn forget_idle(&self) {
        rate_limit::forget_idle(&self.clients);
        rate_limit::forget_idle(&self.operators);
        rate_limit::forget_idle(&self.enrolments);
        rate_limit::forget_idle(&self.logins);
    }
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // What it said is on standard error already, from the panic hook.
    tracing::error!("a handler panicked");
    ApiError::panicked().into_response()
}

async fn unknown_url(request: Request) -> ApiError {
    ApiError::unknown_url(request.method().as_str(), request.uri().path())
}

async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::method_not_allowed(request.method().as_str(), request.uri().path())
}
