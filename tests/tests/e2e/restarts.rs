//! Gateways and nodes that stop, in good order or not: no hold stays, no identity is lost.

use assay_tests::{
    Ask, Behaviour, Gate, ScriptedNode, World,
    money::{Factor, Tokens, cost},
    world::CREDIT,
};

use crate::expect::{assert_outcome, assert_paid};

const SOME: usize = 5;

fn long(world: &World, tokens: u32) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(tokens)
}

/// Two honest nodes behind gates that let a few tokens pass.
async fn two_gated(world: &World) -> ([Gate; 2], [ScriptedNode; 2]) {
    let gates = [Gate::closed(), Gate::closed()];
    gates.iter().for_each(|gate| gate.allow(SOME));
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    (gates, nodes)
}

#[tokio::test]
async fn a_gateway_killed_in_the_middle_of_a_job_ends_its_hold_when_it_starts() {
    let mut world = World::new().await;
    let _scorer = world.scorer().await;
    let _gated = two_gated(&world).await;
    let mut stream = world.client.stream(&long(&world, 60)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let held = world.admin.balance(world.account).await.held;
    assert!(held > 0);

    world.gateway.kill_nine();
    let job = stream.job.clone();
    let got = stream.rest().await;
    assert!(!got.done, "a broken stream does not look finished");
    world.books_are_clean();

    // What was delivered and noted is charged, and never more than was delivered.
    world.gateway.start_again().await;
    let job = world.admin.job_now(&job).await;
    let charged = match job.completion_tokens {
        0 => ("failed", 0),
        tokens => {
            assert!(tokens as usize <= SOME, "{job:#?}");
            let tokens = Tokens { prompt: job.prompt_tokens, completion: tokens };
            ("cancelled", cost(tokens, Factor::Standard))
        }
    };
    assert_eq!((job.state.as_str(), job.cost), charged, "{job:#?}");
    assert_eq!(job.returned, job.hold - job.cost);
    assert!(job.reason.contains("stopped"), "{}", job.reason);
    let balance = world.admin.balance(world.account).await;
    assert_eq!((balance.available, balance.held), (CREDIT - job.cost, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_told_to_stop_finishes_and_settles_what_runs() {
    let mut world = World::new().await;
    let _scorer = world.scorer().await;
    let (gates, nodes) = two_gated(&world).await;
    let ask = long(&world, 60);
    let expected = world.model.expected(&ask).await;
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;

    world.gateway.terminate();
    gates.iter().for_each(Gate::open);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    assert!(world.gateway.end().await.success());
    world.books_are_clean();

    world.gateway.start_again().await;
    let job = world.admin.job_now(&job).await;
    assert_eq!(job.state, "succeeded", "{job:#?}");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_told_to_stop_settles_what_cannot_finish() {
    let mut world = World::with("[limits]\nshutdown_requests_ms = 200").await;
    let _scorer = world.scorer().await;
    let _gated = two_gated(&world).await;
    let mut stream = world.client.stream(&long(&world, 60)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;

    world.gateway.terminate();
    let job = stream.job.clone();
    assert!(!stream.rest().await.done, "a broken stream does not look finished");
    assert!(world.gateway.end().await.success());
    world.books_are_clean();

    world.gateway.start_again().await;
    let job = world.admin.job_now(&job).await;
    assert!(["cancelled", "failed"].contains(&job.state.as_str()), "{job:#?}");
    assert!(!job.reason.contains("stopped in the middle"), "settled before the end: {job:#?}");
    let balance = world.admin.balance(world.account).await;
    assert_eq!((balance.available, balance.held), (CREDIT - job.cost, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_node_told_to_stop_finishes_its_job_is_paid_and_leaves() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (gates, nodes) = two_gated(&world).await;
    let mut agent = world.agent().await;
    let ask = long(&world, 900);
    let expected = world.model.expected(&ask).await;

    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        nodes[0].is_started().await;
        agent.terminate();
        let status = agent.end().await;
        gates.iter().for_each(Gate::open);
        status
    };
    let (answer, status) = tokio::join!(asking, meanwhile);
    assert!(status.success(), "{status}");
    assert!(agent.log().contains("draining: 1 jobs"), "it was at work:\n{}", agent.log());
    assert_eq!(answer.text, world.model.text(&expected.ids));
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &agent, "agreed");
    let paid = [(&nodes[0]).into(), (&nodes[1]).into(), (&agent).into()];
    assert_paid(&world, &job, &paid, 3).await;
    world.admin.node_is(agent.id, "offline").await;
    world.finish().await;
}

#[tokio::test]
async fn a_node_comes_back_by_itself_after_the_gateway_restarts_and_is_the_same_node() {
    let mut world = World::new().await;
    let scorer = world.scorer_agent().await;
    let agents = [world.agent().await, world.agent().await];

    world.gateway.kill_nine();
    world.gateway.start_again().await;
    for agent in agents.iter().chain([&scorer]) {
        world.admin.node_serves(agent.id).await;
    }
    assert!(world.admin.node(scorer.id).await.trusted);
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_paid(&world, &job, &[(&agents[0]).into(), (&agents[1]).into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_data_does_not_start_and_leaves_the_jobs_alone() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (gates, nodes) = two_gated(&world).await;
    let ask = long(&world, 60);
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;

    let mut rival = world.gateway.rival();
    assert!(!rival.end().await.success());
    let folder = world.folder().join("data").display().to_string();
    assert!(rival.log().contains(&folder), "it names what is taken:\n{}", rival.log());
    assert_eq!(world.admin.job_now(&stream.job).await.state, "running");
    assert!(world.admin.balance(world.account).await.held > 0, "the hold stands");

    gates.iter().for_each(Gate::open);
    let job = stream.job.clone();
    assert!(stream.rest().await.done);
    let job = world.admin.job(&job).await;
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 2).await;
    world.finish().await;
}
