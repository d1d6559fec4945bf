//! Checkpoints over HTTP: who may send and co-sign what, and what is pruned.

use minicbor::bytes::ByteVec;
use selkie_wire::checkpoint::{ChunkName, Manifest, ManifestBody, cosigned_bytes};
use selkie_wire::relay::{
    CosignOutcome, CosignRequest, CosignResponse, FetchChunksRequest, FetchChunksResponse,
    ManifestOutcome, ManifestResponse, PushOutcome, PutChunksRequest, PutChunksResponse,
    PutManifestRequest, PutManifestResponse,
};
use selkie_wire::{Digest, EnvelopeType, Header, KeyId, RosterNumber, SegmentNumber};

use crate::support::{Device, Member, Vault, code, relay};

fn chunk(device: &Device) -> Vec<u8> {
    let envelope_type = EnvelopeType::CheckpointChunk;
    let header = Header { envelope_type, previous: Digest([0; 32]), ..device.header(100) };
    device.sign_envelope(&header, 0x77)
}

fn manifest(device: &Device, vault: &Vault, chunk: &[u8]) -> Vec<u8> {
    let body = ManifestBody {
        author: device.id,
        roster: RosterNumber(1),
        key_id: KeyId([3; 32]),
        covers: [(device.id, (SegmentNumber(device.number), device.last))].into(),
        chunks: vec![ChunkName { digest: Digest::of(chunk), size_bytes: chunk.len() as u32 }],
        sealed: vec![0; 40].into(),
    };
    let unsigned = Manifest::unsigned_bytes(vault.id(), &body);
    [&unsigned[..], &device.sign_manifest(&unsigned)].concat()
}

fn put_chunk(member: &Member, chunk: &[u8]) -> Vec<PushOutcome> {
    let request = PutChunksRequest { chunks: vec![ByteVec::from(chunk.to_vec())] };
    let reply = member.client.post(&member.path("chunks"), Some(&member.token), &request);
    reply.message::<PutChunksResponse>().outcomes
}

fn put_manifest(member: &Member, manifest: &[u8]) -> PutManifestResponse {
    let request = PutManifestRequest { manifest: manifest.to_vec().into() };
    member.client.post(&member.path("checkpoints"), Some(&member.token), &request).message()
}

fn cosign(member: &Member, digest: Digest, signature: [u8; 64]) -> CosignOutcome {
    let request = CosignRequest { signature: signature.to_vec().into() };
    let path = member.path(&format!("checkpoints/{digest}/cosign"));
    let reply = member.client.post(&path, Some(&member.token), &request);
    reply.message::<CosignResponse>().outcome
}

#[test]
fn a_checkpoint_is_taken_cosigned_and_prunes() {
    let (_relay, client) = relay();
    let (vault, mut phone, laptop) = Vault::with_two(1);
    client.create(&vault);
    let (by_phone, by_laptop) = (client.member(&phone), client.member(&laptop));
    by_phone.push(&phone.seal_many(3));
    let chunk = chunk(&phone);
    let made = manifest(&phone, &vault, &chunk);
    let digest = Digest::of(&made);
    let put = put_manifest(&by_phone, &made);
    assert_eq!(
        (put.outcome, put.missing),
        (ManifestOutcome::ChunksMissing, vec![Digest::of(&chunk)])
    );
    assert_eq!(put_chunk(&by_laptop, &chunk), [PushOutcome::Refused], "another's");
    assert_eq!(put_chunk(&by_phone, &phone.seal(10)), [PushOutcome::Refused], "a segment");
    assert_eq!(put_chunk(&by_phone, &chunk), [PushOutcome::Stored]);
    assert_eq!(put_manifest(&by_laptop, &made).outcome, ManifestOutcome::Refused, "another's");
    let mut forged = made.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(put_manifest(&by_phone, &forged).outcome, ManifestOutcome::Refused);
    assert_eq!(put_manifest(&by_phone, &made).outcome, ManifestOutcome::Stored);
    let request = FetchChunksRequest { digests: vec![Digest::of(&chunk), digest] };
    let path = by_laptop.path("chunks/fetch");
    let reply = client.post(&path, Some(&by_laptop.token), &request);
    let fetched = reply.message::<FetchChunksResponse>().chunks;
    assert_eq!(fetched, [ByteVec::from(chunk), ByteVec::from(Vec::new())]);
    let bytes = cosigned_bytes(vault.id(), digest);
    assert_eq!(
        cosign(&by_phone, digest, phone.cosign(&bytes)),
        CosignOutcome::Refused,
        "its author"
    );
    assert_eq!(
        cosign(&by_laptop, digest, phone.cosign(&bytes)),
        CosignOutcome::Refused,
        "not its own"
    );
    assert_eq!(
        cosign(&by_laptop, digest, laptop.sign_manifest(&bytes)),
        CosignOutcome::Refused,
        "label"
    );
    assert_eq!(by_laptop.pull(None, 0).envelopes.len(), 3);
    assert_eq!(cosign(&by_laptop, digest, laptop.cosign(&bytes)), CosignOutcome::Settled);
    let page = by_laptop.pull(None, 0);
    assert_eq!((page.envelopes.len(), page.checkpoints.unwrap().settled), (0, Some(digest)));
    let reply = by_phone.send("GET", &format!("checkpoints/{digest}"), &[]);
    let stored: ManifestResponse = reply.message();
    assert_eq!((stored.cosigner, stored.manifest.to_vec()), (Some(laptop.id), made));
    let reply = by_phone.send("GET", &format!("checkpoints/{}", Digest([9; 32])), &[]);
    assert_eq!(reply.problem(), code(404, "not-found"));
}

#[test]
fn a_revoked_device_neither_makes_nor_cosigns() {
    let (_relay, client) = relay();
    let (mut vault, mut phone, laptop) = Vault::with_two(2);
    client.create(&vault);
    let (by_phone, by_laptop) = (client.member(&phone), client.member(&laptop));
    by_phone.push(&phone.seal_many(2));
    let chunk = chunk(&phone);
    put_chunk(&by_phone, &chunk);
    let made = manifest(&phone, &vault, &chunk);
    let digest = Digest::of(&made);
    assert_eq!(put_manifest(&by_phone, &made).outcome, ManifestOutcome::Stored);
    vault.revoke(&laptop);
    client.create(&vault);
    let signature = laptop.cosign(&cosigned_bytes(vault.id(), digest)).to_vec().into();
    let path = by_laptop.path(&format!("checkpoints/{digest}/cosign"));
    let reply = client.post(&path, Some(&by_laptop.token), &CosignRequest { signature });
    assert_eq!(reply.problem(), code(401, "unauthorized"));
    let request = PutManifestRequest { manifest: manifest(&laptop, &vault, &chunk).into() };
    let reply = client.post(&by_laptop.path("checkpoints"), Some(&by_laptop.token), &request);
    assert_eq!(reply.problem(), code(401, "unauthorized"));
    assert_eq!(by_phone.pull(None, 0).checkpoints.unwrap().candidate, Some(digest));
}

#[test]
fn without_a_members_token_every_checkpoint_path_answers_alike() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(3);
    let (other, ..) = Vault::with_two(4);
    client.create(&vault);
    let token = client.token(&phone);
    let digest = Digest([9; 32]);
    let ends = [
        ("POST", "chunks".to_owned()),
        ("POST", "chunks/fetch".to_owned()),
        ("POST", "checkpoints".to_owned()),
        ("GET", format!("checkpoints/{digest}")),
        ("GET", "checkpoints/nonsense".to_owned()),
        ("POST", format!("checkpoints/{digest}/cosign")),
    ];
    let expected =
        client.send("POST", &format!("/v1/vaults/{}/pull", other.id()), None, &[]).unwrap();
    for (method, end) in ends {
        for (id, token) in
            [(vault.id(), None), (other.id(), Some(token.as_str())), (other.id(), None)]
        {
            let path = format!("/v1/vaults/{id}/{end}");
            let reply = client.send(method, &path, token, b"rubbish").unwrap();
            assert_eq!(reply, expected, "{method} {end}");
        }
    }
}
