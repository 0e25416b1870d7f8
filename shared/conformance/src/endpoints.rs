//! What everything that lets models answer must do.

use std::sync::Arc;

use bytes::Bytes;
use ports::{EndpointSpec, EndpointState, Endpoints, ErrorKind};

/// Everything, each claim on fresh endpoints. Beside the port `make` answers what can be put
/// (its name and configuration are replaced); whether it ever comes into service is no matter.
pub async fn endpoints(make: impl AsyncFn() -> (Arc<dyn Endpoints>, EndpointSpec)) {
    let (endpoints, _) = make().await;
    an_unknown_endpoint_is_none(&*endpoints).await;
    let (endpoints, spec) = make().await;
    a_name_that_is_none_is_refused(&*endpoints, &spec).await;
    let (endpoints, spec) = make().await;
    what_was_put_is_there_until_it_is_deleted(&*endpoints, &spec).await;
    let (endpoints, spec) = make().await;
    putting_the_same_again_changes_nothing(&*endpoints, &spec).await;
}

fn named(spec: &EndpointSpec, name: &str) -> EndpointSpec {
    EndpointSpec { name: name.to_owned(), config: "conformance-config".into(), ..spec.clone() }
}

async fn invoke(endpoints: &dyn Endpoints, name: &str) -> Result<u16, ErrorKind> {
    let reply = endpoints.invoke(name, "text/csv", Bytes::from_static(b"1\n")).await;
    reply.map(|reply| reply.status).map_err(|error| error.kind())
}

/// There is no status of it, nobody answers, and deleting it is no error.
pub async fn an_unknown_endpoint_is_none(endpoints: &dyn Endpoints) {
    assert_eq!(endpoints.status("unknown").await.expect("a status can be asked for"), None);
    assert_eq!(invoke(endpoints, "unknown").await, Err(ErrorKind::NotFound));
    endpoints.delete("unknown").await.expect("deleting nothing is no error");
    assert_eq!(endpoints.status("unknown").await.expect("a status can be asked for"), None);
}

/// Names that SageMaker would refuse, or that would lead out of a directory, are `Invalid`.
pub async fn a_name_that_is_none_is_refused(endpoints: &dyn Endpoints, spec: &EndpointSpec) {
    for name in ["", "a b", "a/b", "..", "../x", "a_b", "é", "-a", "a-", &"a".repeat(64)] {
        let put = endpoints.put(&named(spec, name)).await;
        assert_eq!(put.map_err(|error| error.kind()), Err(ErrorKind::Invalid), "{name:?}");
    }
}

/// From put to delete it has a status, and it serves nothing but what was put; while nothing
/// serves, asking is `Unavailable`.
pub async fn what_was_put_is_there_until_it_is_deleted(endpoints: &dyn Endpoints, spec: &EndpointSpec) {
    let spec = named(spec, "conformance-put");
    endpoints.put(&spec).await.expect("an endpoint can be put");
    // It may come into service between two calls, so what is seen first bounds what is seen next.
    let asked = invoke(endpoints, &spec.name).await;
    assert!(matches!(asked, Ok(_) | Err(ErrorKind::Unavailable)), "{asked:?}");
    let status = endpoints.status(&spec.name).await.expect("a status can be asked for");
    let status = status.expect("what was put is there");
    match status.state {
        EndpointState::InService => assert_eq!(status.serving, Some(spec.config.clone())),
        EndpointState::Updating | EndpointState::Failed { .. } => assert_eq!(status.serving, None),
    }
    for _ in 0..2 {
        endpoints.delete(&spec.name).await.expect("an endpoint can be deleted");
        assert_eq!(endpoints.status(&spec.name).await.expect("a status can be asked for"), None);
        assert_eq!(invoke(endpoints, &spec.name).await, Err(ErrorKind::NotFound));
    }
    endpoints.put(&spec).await.expect("a deleted endpoint can be put anew");
    assert!(endpoints.status(&spec.name).await.expect("a status can be asked for").is_some());
    endpoints.delete(&spec.name).await.expect("an endpoint can be deleted");
}

/// Repeating a put is no error, and an endpoint that serves goes on serving.
pub async fn putting_the_same_again_changes_nothing(endpoints: &dyn Endpoints, spec: &EndpointSpec) {
    let spec = named(spec, "conformance-twice");
    let mut serving = None;
    for _ in 0..3 {
        endpoints.put(&spec).await.expect("a repeat is no error");
        let status = endpoints.status(&spec.name).await.expect("a status can be asked for");
        let status = status.expect("what was put is there");
        assert!(serving.is_none() || status.serving == serving, "what serves goes on serving");
        serving = status.serving;
    }
    endpoints.delete(&spec.name).await.expect("an endpoint can be deleted");
}
