//! Transports around a transport: one that counts and meddles, one that loses messages.

use selkie::transport::ids::RosterNumber;
use selkie::transport::relay::{
    PullRequest, PullResponse, PushRequest, PushResponse, RosterEntries,
};
use selkie::transport::{Session, Transport, TransportError};

type Pushing<'a> =
    dyn FnMut(&mut dyn Transport, &PushRequest) -> Result<PushResponse, TransportError> + 'a;
type Pulled<'a> = dyn FnMut(&Result<PullResponse, TransportError>) + 'a;

/// Does something else than to push, and looks at what is pulled.
pub struct Spy<'a> {
    pub inner: Box<dyn Transport>,
    pub push: &'a mut Pushing<'a>,
    pub pulled: &'a mut Pulled<'a>,
}

impl Transport for Spy<'_> {
    fn begin(&mut self, session: &Session) -> Result<(), TransportError> {
        self.inner.begin(session)
    }
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let response = self.inner.pull(request);
        (self.pulled)(&response);
        response
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        (self.push)(&mut *self.inner, request)
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.inner.roster(from)
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.inner.publish_roster(entries)
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}

/// Passes so many calls on and loses the next: on the way there, or its answer on the way back.
pub struct Cut {
    pub inner: Box<dyn Transport>,
    pub calls_left: u32,
    pub answer_lost: bool,
}

impl Cut {
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut dyn Transport) -> Result<R, TransportError>,
    ) -> Result<R, TransportError> {
        let lost = || Err(TransportError::Unreachable("cut off by the test".to_owned()));
        match self.calls_left.checked_sub(1) {
            Some(left) => {
                self.calls_left = left;
                call(&mut *self.inner)
            }
            None if self.answer_lost => call(&mut *self.inner).and_then(|_| lost()),
            None => lost(),
        }
    }
}

impl Transport for Cut {
    fn begin(&mut self, session: &Session) -> Result<(), TransportError> {
        self.inner.begin(session)
    }
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        self.call(|inner| inner.pull(request))
    }
    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        self.call(|inner| inner.push(request))
    }
    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        self.call(|inner| inner.roster(from))
    }
    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        self.call(|inner| inner.publish_roster(entries))
    }
    fn traffic_bytes(&self) -> (u64, u64) {
        self.inner.traffic_bytes()
    }
}
