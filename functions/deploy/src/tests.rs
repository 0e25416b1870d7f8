//! Deployments in a world in memory; every input is delivered twice.

use domain::input::Changed;
use domain::key::prefix;
use domain::row::{ApprovalState, Deployment, DeploymentState, Endpoint};
use domain::{Digest, Event, Input, Key, Time};
use futures::executor::block_on;
use ports::endpoints::Capture;
use ports::{Fault, Handler, Write};
use simulation::World;

use crate::example::{approved, name, world};
use crate::{Deploy, decide, rows};

fn deploy(world: &World) -> Deploy {
    Deploy { records: world.records.clone(), blobs: world.blobs.clone(), endpoints: world.endpoints.clone() }
}

async fn approve(world: &World, version: u32) -> Input {
    let binding = approved(version).binding;
    world.given_event(&name(), Event::ModelApproved { version, binding, reason: "good".into() }).await
}

async fn roll_back(world: &World, version: u32) -> Input {
    let event = Event::RollbackRequested { endpoint: "taxi".into(), version, reason: "bad news".into() };
    world.given_event(&name(), event).await
}

fn changed(world: &World, endpoint: &str) -> Input {
    let at = world.clock.advance(Time::SECOND);
    Input::EndpointChanged(Changed {
        name: endpoint.into(),
        status: "InService".into(),
        identity: at.to_string(),
    })
}

/// Brings everything up and delivers ticks, until nothing is on its way.
async fn settle(world: &World, handler: &dyn Handler) {
    for _ in 0..6 {
        world.endpoints.settle();
        world.clock.advance(60 * Time::SECOND);
        world.twice(handler, world.tick()).await.unwrap();
    }
}

async fn serving(world: &World) -> Endpoint {
    world.row(&rows::endpoint_key(&name(), "taxi")).await.expect("an endpoint")
}

async fn deployments(world: &World) -> Vec<(u32, DeploymentState)> {
    let mut rows: Vec<Deployment> = world.rows(&name(), prefix::DEPLOYMENT).await;
    rows.sort_by_key(|row| (row.at, row.version));
    rows.into_iter().map(|row| (row.version, row.state)).collect()
}

async fn kinds(world: &World) -> Vec<&'static str> {
    let ours = |kind: &&str| kind.starts_with("Deployment") || *kind == "ModelDeployed";
    world.kinds(&name()).await.into_iter().filter(ours).collect()
}

#[test]
fn an_approved_version_is_staged_tried_and_takes_over() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        let deploy = deploy(&world);
        let approval = approve(&world, 1).await;
        world.twice(&deploy, &approval).await.unwrap();
        let staging = world.endpoints.names().pop().unwrap();
        assert!(staging.starts_with("taxi-") && staging.len() == 17, "{staging}");
        let spec = world.endpoints.spec(&staging).unwrap();
        assert_eq!((spec.capture, spec.artifact.as_str()), (Capture::Nothing, "example/model-1.tar.gz"));
        assert_eq!(kinds(&world).await, ["DeploymentStarted"]);

        // News about something else changes nothing; news about the staging moves on.
        world.twice(&deploy, changed(&world, "another")).await.unwrap();
        world.endpoints.settle();
        world.twice(&deploy, changed(&world, &staging)).await.unwrap();
        assert_eq!(world.endpoints.names(), ["taxi".to_owned(), staging.clone()]);
        assert_eq!(world.endpoints.spec("taxi").unwrap().capture, Capture::All);
        assert_eq!(kinds(&world).await, ["DeploymentStarted"], "nothing serves yet");

        world.endpoints.settle();
        world.twice(&deploy, changed(&world, "taxi")).await.unwrap();
        assert_eq!(world.endpoints.names(), ["taxi"], "the staging is gone");
        let endpoint = serving(&world).await;
        assert_eq!((endpoint.champion, endpoint.previous, endpoint.since), (1, None, world.clock.now()));
        assert_eq!(endpoint.deployment, world.endpoints.spec("taxi").unwrap().config);
        assert_eq!(deployments(&world).await, [(1, DeploymentState::Deployed)]);
        let last = world.events(&name()).await.pop().unwrap();
        assert!(matches!(last.event, Event::ModelDeployed { version: 1, previous: None, smoke_rows: 2, .. }));
        let Input::Event(approval) = approval else { panic!("an event") };
        assert_eq!(last.correlation, approval.correlation, "one story from approval to service");
        assert!(world.rows::<serde_json::Value>(&name(), prefix::WAITING).await.is_empty());
    });
}

#[test]
fn ticks_alone_bring_a_deployment_to_its_end() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        settle(&world, &deploy).await;
        assert_eq!(serving(&world).await.champion, 1);
        assert_eq!(kinds(&world).await, ["DeploymentStarted", "ModelDeployed"]);
    });
}

#[test]
fn rollback_goes_back_and_forward_again() {
    block_on(async {
        let world = world(&[approved(1), approved(2)]).await;
        let deploy = deploy(&world);
        for (input, champion, previous) in [
            (approve(&world, 1).await, 1, None),
            (approve(&world, 2).await, 2, Some(1)),
            (roll_back(&world, 1).await, 1, Some(2)),
            (roll_back(&world, 2).await, 2, Some(1)),
        ] {
            world.twice(&deploy, input).await.unwrap();
            settle(&world, &deploy).await;
            let endpoint = serving(&world).await;
            assert_eq!((endpoint.champion, endpoint.previous), (champion, previous));
            assert_eq!(world.endpoints.names(), ["taxi"]);
        }
    });
}

#[test]
fn what_serves_already_is_not_deployed_again() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        settle(&world, &deploy).await;
        world.twice(&deploy, roll_back(&world, 1).await).await.unwrap();
        let last = world.events(&name()).await.pop().unwrap();
        let Event::DeploymentFailed { reason, .. } = last.event else { panic!("{:?}", last.event) };
        assert_eq!(reason, "taxi serves version 1 already");
    });
}

#[test]
fn a_newer_approval_takes_the_place_of_the_one_that_waits() {
    block_on(async {
        let world = world(&[approved(1), approved(2), approved(3), approved(4)]).await;
        let deploy = deploy(&world);
        let second = approve(&world, 2).await;
        for input in [approve(&world, 1).await, approve(&world, 3).await, approve(&world, 4).await] {
            world.twice(&deploy, input).await.unwrap();
            world.clock.advance(Time::SECOND);
        }
        // The approval of version 2 is older than all that and comes last.
        world.twice(&deploy, second).await.unwrap();
        assert_eq!(
            deployments(&world).await,
            [
                (1, DeploymentState::Staging),
                (3, DeploymentState::Superseded { by: 4 }),
                (2, DeploymentState::Superseded { by: 4 })
            ]
        );
        settle(&world, &deploy).await;
        assert_eq!(serving(&world).await.champion, 4);
        assert_eq!(
            kinds(&world).await,
            [
                "DeploymentStarted",
                "DeploymentSuperseded",
                "DeploymentSuperseded",
                "ModelDeployed",
                "DeploymentStarted",
                "ModelDeployed"
            ]
        );
    });
}

#[test]
fn the_next_deployment_is_woken_by_the_end_of_the_one_before() {
    block_on(async {
        let world = world(&[approved(1), approved(2)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        world.twice(&deploy, approve(&world, 2).await).await.unwrap();
        let staging = world.endpoints.names().pop().unwrap();
        world.endpoints.fail(&staging, "out of memory");
        world.twice(&deploy, changed(&world, &staging)).await.unwrap();
        assert_eq!(kinds(&world).await, ["DeploymentStarted", "DeploymentFailed"]);
        world.twice(&deploy, world.last(&name()).await).await.unwrap();
        assert_eq!(kinds(&world).await, ["DeploymentStarted", "DeploymentFailed", "DeploymentStarted"]);
        settle(&world, &deploy).await;
        assert_eq!(serving(&world).await.champion, 2);
    });
}

#[test]
fn only_what_was_approved_is_deployed() {
    block_on(async {
        let mut swapped = approved(1);
        swapped.lineage.artifact = Digest::of(b"something else");
        let mut pending = approved(2);
        pending.approval = ApprovalState::Pending;
        let world = world(&[swapped, pending]).await;
        let deploy = deploy(&world);
        for (version, complaint) in [
            (1, "version 1 is not what was approved"),
            (2, "version 2 is pending, not approved"),
            (9, "there is no version 9"),
        ] {
            world.twice(&deploy, approve(&world, version).await).await.unwrap();
            let last = world.events(&name()).await.pop().unwrap();
            let Event::DeploymentFailed { reason, .. } = last.event else { panic!("{:?}", last.event) };
            assert!(reason.starts_with(complaint), "{reason}");
        }
        assert!(world.endpoints.names().is_empty(), "nothing was brought up");
    });
}

/// Version 1 serves; version 2 was approved and `spoil` makes it fail: why, and what serves.
fn failed(spoil: impl Fn(&World, &str)) -> String {
    block_on(async {
        let world = world(&[approved(1), approved(2)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        settle(&world, &deploy).await;
        let before = serving(&world).await;
        world.twice(&deploy, approve(&world, 2).await).await.unwrap();
        let staging = world.endpoints.names().pop().unwrap();
        spoil(&world, &staging);
        world.clock.advance(Time::SECOND);
        world.twice(&deploy, world.tick()).await.unwrap();
        let last = world.events(&name()).await.pop().unwrap();
        let Event::DeploymentFailed { version: 2, reason, .. } = last.event else {
            panic!("{:?}", last.event)
        };
        assert_eq!(serving(&world).await, before, "what served goes on");
        assert_eq!(world.endpoints.names(), ["taxi"], "the staging is gone");
        settle(&world, &deploy).await;
        assert_eq!(world.endpoints.spec("taxi").unwrap().config, before.deployment);
        reason
    })
}

#[test]
fn a_version_that_fails_does_not_touch_what_serves() {
    assert_eq!(failed(|world, staging| world.endpoints.fail(staging, "no memory")), "no memory");
    let wrong = |world: &World, _: &str| {
        world.endpoints.predict(|_, _| "10".into());
        world.endpoints.settle();
    };
    assert_eq!(failed(wrong), "golden request 2 was answered 10, recorded is 20");
    let broken = |world: &World, _: &str| {
        world.endpoints.answer(|_, _| ports::Reply {
            status: 500,
            content_type: "text/plain".into(),
            body: "no such column".into(),
        });
        world.endpoints.settle();
    };
    assert_eq!(failed(broken), "the golden requests were answered with status 500: no such column");
    let slow = |world: &World, _: &str| {
        world.clock.advance((decide::STAGING_MINUTES_MAX + 1) * 60 * Time::SECOND);
    };
    assert_eq!(failed(slow), "it did not come up within 60 minutes");
}

#[test]
fn a_switch_that_fails_leaves_the_champion() {
    block_on(async {
        let world = world(&[approved(1), approved(2)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        settle(&world, &deploy).await;
        world.twice(&deploy, approve(&world, 2).await).await.unwrap();
        let staging = world.endpoints.names().pop().unwrap();
        world.endpoints.settle();
        world.twice(&deploy, changed(&world, &staging)).await.unwrap();
        world.endpoints.fail("taxi", "the port is taken");
        world.twice(&deploy, changed(&world, "taxi")).await.unwrap();
        assert_eq!(
            deployments(&world).await[1],
            (2, DeploymentState::Failed { reason: "the port is taken".into() })
        );
        assert_eq!(serving(&world).await.champion, 1);
        assert_eq!(world.endpoints.names(), ["taxi"]);
    });
}

#[test]
fn an_endpoint_that_was_lost_is_put_back_by_a_tick() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        settle(&world, &deploy).await;
        let events = world.events(&name()).await.len();
        ports::Endpoints::delete(&*world.endpoints, "taxi").await.unwrap();
        world.twice(&deploy, world.tick()).await.unwrap();
        assert_eq!(world.endpoints.spec("taxi").unwrap().config, serving(&world).await.deployment);
        assert_eq!(world.events(&name()).await.len(), events, "nothing new happened");
    });
}

#[test]
fn one_pipelines_trouble_does_not_keep_the_others_waiting() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        // Listed before ours, but its own row is missing.
        let broken = "a-broken-one".parse().unwrap();
        let writes = vec![Write::insert(Key::listed(&broken), &serde_json::json!({}))];
        world.given(&broken, writes, vec![]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        for _ in 0..3 {
            world.endpoints.settle();
            world.clock.advance(Time::SECOND);
            let outcome = world.deliver(&deploy, world.tick()).await;
            assert!(matches!(outcome, Err(Fault::Reject(_))), "{outcome:?}");
        }
        assert_eq!(serving(&world).await.champion, 1);
    });
}

/// Seed 5001700 of the simulation: a slower delivery asked for the staging again after the
/// deployment had failed, and died before it could take that back.
#[test]
fn what_a_deployment_that_is_over_left_is_removed_when_it_is_heard_of() {
    block_on(async {
        let world = world(&[approved(1)]).await;
        let deploy = deploy(&world);
        world.twice(&deploy, approve(&world, 1).await).await.unwrap();
        let staging = world.endpoints.names().pop().unwrap();
        let spec = world.endpoints.spec(&staging).unwrap();
        world.endpoints.fail(&staging, "no memory");
        world.twice(&deploy, changed(&world, &staging)).await.unwrap();
        assert_eq!(kinds(&world).await, ["DeploymentStarted", "DeploymentFailed"]);
        assert_eq!(world.endpoints.names(), Vec::<String>::new());

        ports::Endpoints::put(&*world.endpoints, &spec).await.unwrap();
        world.twice(&deploy, changed(&world, &staging)).await.unwrap();
        assert_eq!(world.endpoints.names(), Vec::<String>::new());
    });
}
