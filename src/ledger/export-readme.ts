import * as Receipts from "./receipts.ts"
import { files } from "./run-export.ts"

const type = Receipts.payloadType

/**
 * The text that goes with an exported run: what is there, and how to check it with sha256sum and openssl alone. The
 * indented lines are a shell script that stops at the first thing that is wrong.
 */
export const readme = (run: string, keyid: string): string => `The record of run ${run}

${files.events}      the run's events, one a line (CloudEvents 1.0 in RFC 8785 form)
${files.checkpoint}     the signed head of the ledger's root stream (C2SP tlog-checkpoint)
${files.proof}         the root's lines about this run, and the paths that prove that the checkpoint includes them
${files.plan}          the plan that was run
${files.receipts}/           the receipts of its gates (in-toto statements in DSSE envelopes)
${files.artifacts}   digests of all bytes that the run read or made, with their places below the project's .dandori
${files.files}       digests of the files here
${files.publicKey}         the public key. Its id is ${keyid}.
                   It is only as good as the way you got it: compare the id with one that you have from elsewhere.

With the program, everything at once:  dandori ledger verify . --key KEY
Without it, in this folder, in a shell with sha256sum and openssl (3.0 or newer):

1. The files here are complete.

    export LC_ALL=C
    sha256sum -c --quiet ${files.files}

2. Each event has the hash that it names (over its line without "entryhash") and names the hash of the one before it;
   the first names the hash of the stream's name.

    before=$(printf 'dandori stream runs/%s\\n' ${run} | sha256sum | cut -c 1-64)
    while IFS= read -r line; do
      own=$(printf '%s' "$line" | sed 's/.*"application\\/json","entryhash":"\\([0-9a-f]*\\)",.*/\\1/')
      hash=$(printf '%s' "$line" | sed 's/\\(.*"application\\/json",\\)"entryhash":"[0-9a-f]*",/\\1/' | tr -d '\\n' | sha256sum | cut -c 1-64)
      test "$hash" = "$own" || { echo "changed: $line"; false; }
      printf '%s' "$line" | grep -q "\\"prevhash\\":\\"$before\\"" || { echo "does not follow: $line"; false; }
      before=$own
    done < ${files.events}

3. The plan is the one that the first event names.

    plan=$(head -n 1 ${files.events} | sed 's/.*"plan":"\\([0-9a-f]*\\)".*/\\1/')
    test "$plan" = "$(sha256sum ${files.plan} | cut -c 1-64)" || { echo "another plan"; false; }

4. The checkpoint is signed by the key.

    work=$(mktemp -d)
    head -n 3 ${files.checkpoint} > "$work/text"
    tail -n 1 ${files.checkpoint} | cut -d ' ' -f 3 | base64 -d | tail -c 64 > "$work/signature"
    openssl pkeyutl -verify -rawin -pubin -inkey ${files.publicKey} -sigfile "$work/signature" -in "$work/text"

5. The receipts are signed by the key.

    for receipt in ${files.receipts}/*.json; do
      test -e "$receipt" || continue
      sed 's/.*"payload":"\\([^"]*\\)".*/\\1/' "$receipt" | base64 -d > "$work/payload"
      printf 'DSSEv1 ${type.length} ${type} %d ' "$(wc -c < "$work/payload")" > "$work/text"
      cat "$work/payload" >> "$work/text"
      sed 's/.*"sig":"\\([^"]*\\)".*/\\1/' "$receipt" | base64 -d > "$work/signature"
      openssl pkeyutl -verify -rawin -pubin -inkey ${files.publicKey} -sigfile "$work/signature" -in "$work/text"
    done
    rm -r "$work"

6. The artifacts, where you have them: in the project's .dandori,  sha256sum -c --ignore-missing ${files.artifacts}

7. That the checkpoint includes the run: in ${files.proof} each entry has a line of the root ("opened" with the hash of the
   first event, "closed" with the number of events and the hash of the last). Its leaf is SHA-256(0x00, line). Going up
   its path, the node is SHA-256(0x01, left, right), as in RFC 6962; the last is the tree hash in ${files.checkpoint}.
`
