//! `/v1/events`.

use crate::gateway::Gateway;
use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::domain::event::{EventKind, NewEvent};
use otpgate::store::{Scope, Store};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn events_are_listed_for_admins() {
    let gateway = Gateway::start().await;
    for n in 0..3u128 {
        let event = NewEvent {
            kind: if n == 1 { EventKind::CanaryFailed } else { EventKind::SimCardSwapped },
            modem: Some(Imei::new("001017000000001")),
            sim_card: Some(SimCard::new("8999901000000000018")),
            sentence: format!("sentence {n}"),
            about: (n == 1).then_some(n),
        };
        gateway.store.note(event).await.unwrap();
    }
    let page = gateway.call("GET /v1/events?limit=2", "").await.json();
    assert_eq!(page["items"][1]["sentence"], "sentence 1");
    let shown = &page["items"][1];
    assert_eq!((&shown["kind"], &shown["modem"]), (&json!("canary.failed"), &json!("001017000000001")));
    assert_eq!(shown["about"], "msg_00000000000000000000000000000001");
    assert_eq!(page["items"][0]["about"], json!(null));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = gateway.call(&format!("GET /v1/events?cursor={cursor}"), "").await.json();
    assert_eq!((&rest["items"][0]["sentence"], &rest["next_cursor"]), (&json!("sentence 0"), &json!(null)));
    let swapped = gateway.call("GET /v1/events?kind=sim_card.swapped&since=2026-01-01T00:00:00Z", "").await.json();
    assert_eq!(swapped["items"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.call("GET /v1/events?kind=nothing", "").await.outcome(), "422 invalid_value kind");
    assert_eq!(gateway.call("GET /v1/events?cursor=msg_1", "").await.outcome(), "422 invalid_value cursor");
    for scope in Scope::ALL.into_iter().filter(|scope| !scope.is_foreign()) {
        let key = gateway.key(&[scope], &[]).await;
        let reply = gateway.call_as(&key, "GET /v1/events", "", &[]).await;
        assert_eq!(reply.status == 200, scope == Scope::Admin, "{scope:?}");
    }
}
