//! A gateway to test with: the demo model, which costs nothing here, and somebody who may ask it.

use std::path::Path;

use assay_ledger::Nano;
use assay_protocol::{Bytes32, JobId};
use uuid::Uuid;

use super::App;
use crate::{
    auth::{Caller, GatewayKeys},
    config::{Config, ModelSettings},
    db::{self, Actor, Db, NewAccount, NewJob, NewKey},
    serving::Risk,
};

/// Keeps its files in this folder; nothing of it runs.
pub(crate) async fn gateway(folder: &Path) -> (App, Caller) {
    let mut config = Config::default();
    config.gateway.data_dir = folder.to_owned();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/demo");
    let mut model = ModelSettings::at(demo);
    (model.price_input_nano_usd_per_mtok, model.price_output_nano_usd_per_mtok) = (0, 0);
    config.models = vec![model];
    let db = Db::open(&config.gateway.database_url()).await.unwrap();
    db.migrate().await.unwrap();
    let account = NewAccount { name: "a client".into(), created_ms: 1 };
    let admin = Actor { name: "an admin".into(), at_ms: 1 };
    let account = db::accounts::create(&db, &account, &admin).await.unwrap().id;
    let key = NewKey {
        account,
        name: "a key".into(),
        prefix: "sk".into(),
        hash: Bytes32([1; 32]),
        risk: "standard".into(),
        created_ms: 1,
        expires_ms: None,
        budget_day: None,
        scopes: String::new(),
        models: String::new(),
        rotated_from: None,
    };
    let key = db::keys::create(&db, &key, &admin).await.unwrap().id;
    let app = App::open(config, db, GatewayKeys::from_seed([9; 32])).await.unwrap();
    (app, Caller { account, key, risk: Risk::Standard, network: None })
}

/// A job of this caller that runs.
pub(crate) async fn job(app: &App, caller: &Caller) -> JobId {
    let job = NewJob {
        id: JobId(Uuid::now_v7()),
        gateway: app.keys.gateway_id().to_owned(),
        account: caller.account,
        key: caller.key,
        model: "assay-pip".into(),
        policy: "standard".into(),
        prompt_tokens: 1,
        max_tokens: 1,
        hold: Nano::ZERO,
        created_ms: 1,
        lease: None,
        lasts_ms_max: 600_000,
        holds_open_max: 100,
    };
    db::jobs::open(&app.db, &job).await.unwrap();
    job.id
}
