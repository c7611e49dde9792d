//! API keys: made, believed, ended; the last admin key stays.

use super::*;
use otpgate::domain::id::KeyId;
use otpgate::store::{ApiKey, Idempotency, KeySettings, Scope};

on_both_stores! {
    a_key_is_believed_until_it_is_revoked
    a_key_is_believed_until_it_expires
    the_last_admin_key_is_not_revoked
    an_admin_key_that_ends_sooner_does_not_count
    where_all_admin_keys_end_the_one_that_ends_last_stays
    a_secret_is_shown_once
    keys_outlive_a_crash
}

fn api_key(w: &World, n: u8, scope: Scope) -> ApiKey {
    ApiKey {
        id: KeyId::new(w.now().wall, [n; 10]),
        client: ME.client,
        name: format!("key {n}"),
        secret_sha256: [n; 32],
        scopes: [scope].into(),
        permissions: [].into(),
        created: w.now().wall,
        expires: None,
        revoked: None,
        settings: KeySettings::default(),
    }
}

fn believed(w: &World, n: u8) -> bool {
    w.store().authenticate(&[n; 32]).is_some()
}

async fn a_key_is_believed_until_it_is_revoked(w: World) {
    assert!(!believed(&w, 1));
    let key = api_key(&w, 1, Scope::Send);
    let made = w.store().create_key(key.clone(), None).await.unwrap();
    assert_eq!((made.value, made.replayed), (key.clone(), false));
    assert_eq!(w.store().authenticate(&[1; 32]).as_deref(), Some(&key));
    let revoked = w.store().revoke_key(key.id).await.unwrap();
    assert_eq!(revoked.revoked, Some(w.now().wall));
    assert!(!believed(&w, 1));
    pass(MINUTE).await;
    assert_eq!(w.store().revoke_key(key.id).await, Ok(revoked.clone()), "revoked once");
    assert_eq!(w.store().keys().await, Ok(vec![revoked]));
    assert_eq!(w.store().revoke_key(KeyId(1)).await, Err(StoreError::NotFound));
}

async fn a_key_is_believed_until_it_expires(w: World) {
    let key = ApiKey { expires: Some(w.now().wall + HOUR), ..api_key(&w, 1, Scope::Send) };
    w.store().create_key(key, None).await.unwrap();
    pass(HOUR - secs(1)).await;
    assert!(believed(&w, 1));
    pass(secs(1)).await;
    assert!(!believed(&w, 1));
}

async fn the_last_admin_key_is_not_revoked(w: World) {
    let keys = [1, 2].map(|n| api_key(&w, n, Scope::Admin));
    let short = ApiKey { expires: Some(w.now().wall + HOUR), ..api_key(&w, 3, Scope::Admin) };
    for key in keys.iter().chain([&short, &api_key(&w, 4, Scope::Send)]) {
        w.store().create_key(key.clone(), None).await.unwrap();
    }
    pass(HOUR).await;
    w.store().revoke_key(keys[0].id).await.unwrap();
    let last = w.store().revoke_key(keys[1].id).await;
    assert_eq!(last, Err(StoreError::LastAdminKey), "an expired one and one for sending don't count");
    assert!(believed(&w, 2));
    w.store().create_key(api_key(&w, 5, Scope::Admin), None).await.unwrap();
    assert!(w.store().revoke_key(keys[1].id).await.is_ok());
}

async fn an_admin_key_that_ends_sooner_does_not_count(w: World) {
    let lasting = api_key(&w, 1, Scope::Admin);
    let ending = |n: u8| ApiKey { expires: Some(w.now().wall + HOUR * u32::from(n)), ..api_key(&w, n, Scope::Admin) };
    let [soon, later] = [ending(2), ending(3)];
    for key in [&lasting, &soon, &later] {
        w.store().create_key(key.clone(), None).await.unwrap();
    }
    assert_eq!(w.store().revoke_key(lasting.id).await, Err(StoreError::LastAdminKey), "the others end");
    assert!(w.store().revoke_key(later.id).await.is_ok(), "one without an end is there");
    let lasting_too = api_key(&w, 4, Scope::Admin);
    w.store().create_key(lasting_too.clone(), None).await.unwrap();
    assert!(w.store().revoke_key(lasting.id).await.is_ok());
    assert!(w.store().revoke_key(soon.id).await.is_ok());
    assert_eq!(w.store().revoke_key(lasting_too.id).await, Err(StoreError::LastAdminKey));
}

async fn where_all_admin_keys_end_the_one_that_ends_last_stays(w: World) {
    let ending = |n: u8| ApiKey { expires: Some(w.now().wall + HOUR * u32::from(n)), ..api_key(&w, n, Scope::Admin) };
    let [soon, later] = [ending(2), ending(3)];
    for key in [&soon, &later] {
        w.store().create_key(key.clone(), None).await.unwrap();
    }
    assert_eq!(w.store().revoke_key(later.id).await, Err(StoreError::LastAdminKey));
    assert!(w.store().revoke_key(soon.id).await.is_ok());
}

async fn a_secret_is_shown_once(w: World) {
    let idempotency = Some(Idempotency { key: [1; 32], fingerprint: [1; 32] });
    w.store().create_key(api_key(&w, 1, Scope::Send), idempotency).await.unwrap();
    let again = w.store().create_key(api_key(&w, 2, Scope::Send), idempotency).await;
    assert_eq!(again, Err(StoreError::AlreadyShown));
    assert_eq!(w.store().keys().await.unwrap().len(), 1);
    assert!(!believed(&w, 2));
}

async fn keys_outlive_a_crash(mut w: World) {
    let keys = [1, 2].map(|n| api_key(&w, n, Scope::Admin));
    for key in &keys {
        w.store().create_key(key.clone(), None).await.unwrap();
    }
    w.store().revoke_key(keys[0].id).await.unwrap();
    w.crash().await;
    assert!(!believed(&w, 1) && believed(&w, 2));
    assert_eq!(w.store().keys().await.unwrap().len(), 2);
    assert_eq!(w.store().revoke_key(keys[1].id).await, Err(StoreError::LastAdminKey));
}
