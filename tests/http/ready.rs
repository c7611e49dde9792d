//! `/healthz`, `/readyz` and `/v1/modems`.

use crate::gateway::{Gateway, PLAIN};
use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::modem::board::ModemState;

#[tokio::test(start_paused = true)]
async fn ready_means_that_a_modem_can_send() {
    let gateway = Gateway::start().await;
    let ready = async || gateway.call_as("", "GET /readyz", "", &[]).await;
    let reply = ready().await;
    assert_eq!(reply.outcome(), "503 not_ready");
    assert!(reply.text.contains("There is no modem"), "{}", reply.text);
    gateway.modem(0, ModemState::Waiting);
    gateway.modem(1, ModemState::Starting);
    gateway.board.update(0, |m| m.imei = Some(Imei::new("001017000000001")));
    let reply = ready().await;
    assert!(reply.text.contains("1 starting, 1 waiting"), "{}", reply.text);
    assert!(!reply.text.contains("001017"), "open to all, so it names nobody");
    gateway.verification(PLAIN).await;
    for state in [ModemState::Ready, ModemState::Sending] {
        gateway.modem(1, state);
        let reply = ready().await;
        assert_eq!(reply.outcome(), "200");
        assert_eq!((&reply.json()["modems_ready"], &reply.json()["queued"]), (&1.into(), &1.into()));
    }
    assert_eq!(gateway.call_as("", "GET /healthz", "", &[]).await.outcome(), "200");
    gateway.stop.send(true).unwrap();
    let reply = ready().await;
    assert_eq!(reply.outcome(), "503 not_ready");
    assert!(reply.text.contains("stopping"), "{}", reply.text);
}

#[tokio::test(start_paused = true)]
async fn modems_are_shown_as_the_board_has_them() {
    let gateway = Gateway::start().await;
    gateway.board.update(0, |m| {
        m.imei = Some(Imei::new("001017000000001"));
        m.sim_card = Some(SimCard::new("8999901000000000018"));
        m.port = "/dev/serial/by-path/x".to_owned();
        m.state = ModemState::Waiting;
        m.reason = Some("not registered".to_owned());
        m.signal_dbm = Some(-71);
    });
    let list = gateway.call("GET /v1/modems", "").await.json();
    let modem = &list["items"][0];
    assert_eq!(modem["imei"], "001017000000001");
    assert_eq!(modem["sim_card"], "8999901000000000018");
    assert_eq!((&modem["state"], &modem["ready"]), (&"waiting".into(), &false.into()));
    assert_eq!((&modem["reason"], &modem["signal_dbm"]), (&"not registered".into(), &(-71).into()));
    assert!(list["next_cursor"].is_null());
}
