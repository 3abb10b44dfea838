'use strict';
// A short message centre (SMSC) on loopback: SMPP 3.4, for a laptop and for tests.
//
// It takes submit_sm from bound clients, writes each to a spool file as one JSON line (nothing is
// assembled: a long message is as many lines as it has parts), answers with delivery receipts, and
// can be told over HTTP to send an inbound message or to misbehave. Settings come from SMSC_*.
//
// Control (127.0.0.1:SMSC_CONTROL_PORT, JSON bodies):
//   GET  /state                                          bound sessions, counts, behaviour
//   POST /inbound    {source, destination, text}         an SMS from a phone (mobile-originated)
//   POST /behaviour  any of BEHAVIOUR below              how it treats what comes next
//   POST /disconnect {}                                  drop every connection at once

const fs = require('fs');
const http = require('http');
const smpp = require('smpp');

const HOST = process.env.SMSC_HOST || '127.0.0.1'; // elsewhere only inside a container
const BINDS = ['bind_transceiver', 'bind_transmitter', 'bind_receiver'];
const UDH_PRESENT = 0x40;
const DELIVERY_RECEIPT = 0x04;
const GSM7 = 0x00;
const UCS2 = 0x08;
const SINGLE_LIMIT = { [GSM7]: 160, [UCS2]: 140 }; // octets as carried by SMPP
const STATES = { DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };

const behaviour = {
  refuse: null, // name of an SMPP error, e.g. "ESME_RSYSERR", that answers every submit_sm
  refuse_next: 0, // how many more submit_sm answer `refuse_with`
  refuse_with: 'ESME_RTHROTTLED',
  throttle_per_second: 0, // above this many submit_sm in a second: ESME_RTHROTTLED; 0 is no limit
  silent: false, // take submit_sm, spool it, and never answer
  receipt: 'DELIVRD', // final state in receipts; null sends none
  receipt_delay_ms: 20,
};

const settings = {
  port: Number(required('SMSC_PORT')),
  controlPort: Number(required('SMSC_CONTROL_PORT')),
  systemId: required('SMSC_SYSTEM_ID'),
  password: required('SMSC_PASSWORD'),
  spool: required('SMSC_SPOOL'),
};

// The package would decode messages and forget their octets; the spool shows both.
delete smpp.commands.submit_sm.params.short_message.filter;
delete smpp.tlvs.message_payload.filter;

const spool = fs.openSync(settings.spool, 'a', 0o600);
const bound = new Map(); // session -> {systemId, receives, outstanding: Set of deliver_sm not answered}
const waiting = []; // deliver_sm for which no receiver is bound
const counts = { submitted: 0, refused: 0, receipts: 0, inbound: 0 };
let second = { at: 0, taken: 0 };
let lastId = 0;

function required(name) {
  if (!process.env[name]) {
    console.error(`${name} isn't set`);
    process.exit(2);
  }
  return process.env[name];
}

function onSession(session) {
  for (const bind of BINDS) {
    session.on(bind, (pdu) => onBind(session, pdu, bind));
  }
  session.on('submit_sm', (pdu) => onSubmit(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response(), () => session.close()));
  session.on('unknown', (pdu) => session.send(pdu.response()));
  session.on('close', () => onClose(session));
  session.on('error', () => session.destroy());
}

function onBind(session, pdu, bind) {
  if (pdu.system_id !== settings.systemId || pdu.password !== settings.password) {
    session.send(pdu.response({ command_status: smpp.ESME_RBINDFAIL }), () => session.close());
    return;
  }
  const receives = bind !== 'bind_transmitter';
  bound.set(session, { systemId: pdu.system_id, receives, outstanding: new Set() });
  session.send(pdu.response({ system_id: 'huitouke-smsc' }), () => {
    if (receives) waiting.splice(0).forEach(deliver);
  });
}

function onClose(session) {
  const client = bound.get(session);
  bound.delete(session);
  if (client) client.outstanding.forEach(deliver);
}

function onSubmit(session, pdu) {
  if (!bound.has(session)) {
    session.send(pdu.response({ command_status: smpp.ESME_RINVBNDSTS }));
    return;
  }
  const refusal = refusalOf();
  if (refusal) {
    counts.refused += 1;
    session.send(pdu.response({ command_status: smpp[refusal] }));
    return;
  }
  const messageId = (++lastId).toString(16).padStart(10, '0');
  const record = recordOf(pdu, messageId);
  fs.writeSync(spool, JSON.stringify(record) + '\n');
  counts.submitted += 1;
  if (behaviour.silent) return;
  session.send(pdu.response({ message_id: messageId }));
  if (pdu.registered_delivery & 0x01 && behaviour.receipt) {
    const receipt = receiptOf(pdu, record, behaviour.receipt);
    setTimeout(() => deliver(receipt), behaviour.receipt_delay_ms);
    counts.receipts += 1;
  }
}

function refusalOf() {
  if (behaviour.refuse) return behaviour.refuse;
  if (behaviour.refuse_next > 0) {
    behaviour.refuse_next -= 1;
    return behaviour.refuse_with;
  }
  const now = Math.floor(Date.now() / 1000);
  second = second.at === now ? second : { at: now, taken: 0 };
  second.taken += 1;
  const limit = behaviour.throttle_per_second;
  return limit && second.taken > limit ? 'ESME_RTHROTTLED' : null;
}

function recordOf(pdu, messageId) {
  const octets = pdu.message_payload || pdu.short_message;
  const header = pdu.esm_class & UDH_PRESENT ? octets.subarray(0, octets[0] + 1) : null;
  const body = header ? octets.subarray(header.length) : octets;
  return {
    message_id: messageId,
    received_at: new Date().toISOString(),
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    service_type: pdu.service_type,
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    registered_delivery: pdu.registered_delivery,
    udh: header ? header.toString('hex') : null,
    part: header ? partOf(header) : null,
    short_message: body.toString('hex'),
    text: decode(body, pdu.data_coding),
  };
}

// The concatenation element of a user data header (3GPP 23.040, 9.2.3.24.1 and .8), or null.
function partOf(header) {
  for (let at = 1; at + 1 < header.length; at += header[at + 1] + 2) {
    if (header[at] === 0x00) {
      return { reference: header[at + 2], total: header[at + 3], number: header[at + 4] };
    }
    if (header[at] === 0x08) {
      const reference = header.readUInt16BE(at + 2);
      return { reference, total: header[at + 4], number: header[at + 5] };
    }
  }
  return null;
}

function decode(octets, dataCoding) {
  if (dataCoding === UCS2) return smpp.encodings.UCS2.decode(octets);
  if (dataCoding === GSM7 || dataCoding === 0x01) return smpp.encodings.ASCII.decode(octets);
  if (dataCoding === 0x03) return smpp.encodings.LATIN1.decode(octets);
  return null; // binary
}

// The receipt text of SMPP 3.4, appendix B, and the two optional parameters that say the same.
function receiptOf(pdu, record, state) {
  const stamp = new Date().toISOString().replace(/[-:T]/g, '').slice(2, 12);
  const delivered = state === 'DELIVRD' ? '001' : '000';
  const error = state === 'DELIVRD' ? '000' : '001';
  const text =
    `id:${record.message_id} sub:001 dlvrd:${delivered} submit date:${stamp} ` +
    `done date:${stamp} stat:${state} err:${error} text:`;
  return {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: DELIVERY_RECEIPT,
    data_coding: GSM7,
    short_message: Buffer.from(text, 'latin1'),
    receipted_message_id: record.message_id,
    message_state: STATES[state] || STATES.UNKNOWN,
  };
}

// Hand a deliver_sm to a bound receiver, again after a lost connection, later if none is bound.
function deliver(message) {
  const found = [...bound].find(([, client]) => client.receives);
  if (!found) {
    waiting.push(message);
    return;
  }
  const [session, client] = found;
  client.outstanding.add(message);
  session.deliver_sm({ ...message }, (answer) => {
    client.outstanding.delete(message);
    if (answer.command_status !== 0) setTimeout(() => deliver(message), 1000);
  });
}

function inbound({ source, destination, text }) {
  const dataCoding = smpp.encodings.ASCII.match(text) ? GSM7 : UCS2;
  const encoding = dataCoding === GSM7 ? smpp.encodings.ASCII : smpp.encodings.UCS2;
  const octets = encoding.encode(text);
  if (octets.length > SINGLE_LIMIT[dataCoding]) throw new Error('text needs more than one part');
  counts.inbound += 1;
  deliver({
    source_addr: source,
    destination_addr: destination,
    esm_class: 0,
    data_coding: dataCoding,
    short_message: octets,
  });
}

function behave(changes) {
  for (const name of Object.keys(changes)) {
    if (!(name in behaviour)) throw new Error(`no behaviour is called ${name}`);
  }
  for (const error of [changes.refuse, changes.refuse_with]) {
    if (error && !(error in smpp.errors)) throw new Error(`no SMPP error is called ${error}`);
  }
  Object.assign(behaviour, changes);
}

function disconnect() {
  for (const session of [...bound.keys()]) session.destroy();
}

function state() {
  return { bound: bound.size, waiting: waiting.length, ...counts, behaviour };
}

const CONTROLS = {
  'GET /state': () => {},
  'POST /inbound': inbound,
  'POST /behaviour': behave,
  'POST /disconnect': disconnect,
};

function onControl(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const control = CONTROLS[`${request.method} ${request.url}`];
    try {
      if (!control) throw new Error('no such control');
      control(JSON.parse(Buffer.concat(chunks).toString() || '{}'));
      answer(response, 200, state());
    } catch (error) {
      answer(response, 400, { error: error.message });
    }
  });
}

function answer(response, code, body) {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body) + '\n');
}

smpp.createServer(onSession).listen(settings.port, HOST, () => {
  http.createServer(onControl).listen(settings.controlPort, HOST, () => {
    console.log('SMSC ready');
  });
});
