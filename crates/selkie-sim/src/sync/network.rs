//! What lies between a device and a relay: it loses, delays, doubles, reorders and cuts.

use selkie_wire::relay::PullResponse;
use selkie_wire::{DeviceId, cbor};

use super::relay::{Denied, Relay, Request};
use crate::world::Random;

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The connection broke, on the way there or back.
    Unreachable,
    /// What came is no answer.
    Garbage,
    /// The relay said no.
    Denied(Denied),
}

/// The network, and its weather.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Of a hundred requests, how many meet a fault.
    pub faults_percent: u64,
    /// Cut links: device and relay.
    pub cut: Vec<(usize, usize)>,
    /// Requests whose sender has given up, and which arrive later all the same.
    pub late: Vec<(usize, DeviceId, Request)>,
    /// Requests that reached a relay.
    pub requests: u64,
    /// Bytes of answers.
    pub bytes: u64,
}

impl Network {
    /// Sends a request, and brings the answer as bytes.
    pub fn send(
        &mut self,
        (place, device): (usize, DeviceId),
        (at, relay): (usize, &mut Relay),
        request: Request,
        random: &mut Random,
    ) -> Result<Vec<u8>, Failed> {
        if self.cut.contains(&(place, at)) {
            return Err(Failed::Unreachable);
        }
        self.requests += 1;
        let fault = random.chance(self.faults_percent).then(|| random.below(9));
        match fault {
            Some(0) => return Err(Failed::Unreachable),
            Some(1) => {
                self.late.push((at, device, request));
                return Err(Failed::Unreachable);
            }
            Some(2) => {
                let _lost = relay.handle(device, &request);
                return Err(Failed::Unreachable);
            }
            // Once now, and once more some time later.
            Some(3) => self.late.push((at, device, request.clone())),
            Some(4) => {
                let _first = relay.handle(device, &request);
            }
            Some(5) => {
                let cut = cut_request(request, random);
                let answer = relay.handle(device, &cut);
                assert!(answer.is_err(), "half a request was taken for a whole one");
                return Err(Failed::Unreachable);
            }
            _ => {}
        }
        let mut answer = relay.handle(device, &request).map_err(Failed::Denied)?;
        if fault == Some(6) && !answer.is_empty() {
            answer.truncate(random.place(answer.len()));
        }
        if matches!((fault, &request), (Some(7 | 8), Request::Pull(_))) {
            answer = shuffle(&answer, random);
        }
        self.bytes += answer.len() as u64;
        Ok(answer)
    }

    /// One of the requests that were given up arrives now.
    pub fn deliver_late(&mut self, relays: &mut [Relay], random: &mut Random) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let (at, device, request) = self.late.swap_remove(random.place(self.late.len()));
        let _nobody_waits = relays[at].handle(device, &request);
        true
    }
}

/// A relay may give a page in any order.
fn shuffle(answer: &[u8], random: &mut Random) -> Vec<u8> {
    let mut page: PullResponse = cbor::decode(answer).expect("a relay's own answer");
    for last in (1..page.envelopes.len()).rev() {
        page.envelopes.swap(last, random.place(last + 1));
    }
    cbor::encode(&page)
}

fn cut_request(request: Request, random: &mut Random) -> Request {
    let mut cut = |mut bytes: Vec<u8>| {
        bytes.truncate(random.place(bytes.len()));
        bytes
    };
    match request {
        Request::Pull(bytes) => Request::Pull(cut(bytes)),
        Request::Push(bytes) => Request::Push(cut(bytes)),
        Request::Publish(bytes) => Request::Publish(cut(bytes)),
        // It has no body: half a request line is none.
        Request::Roster(_) => Request::Pull(Vec::new()),
    }
}
