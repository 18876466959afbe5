// Asks the test to act as the person: one line of JSON each way. What the relying party does beside that is its own.
import { createInterface } from 'node:readline'

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const ask = async (question) => {
  console.log(JSON.stringify(question))
  const { value } = await answers.next()
  return JSON.parse(value)
}

/** Let the person open a page, sign in and allow; returns the address to which they were sent back. */
export const visit = async (url) => new URL((await ask({ visit: String(url) })).back)

/** Run a scenario with what the test knows, and report what it returns. */
export const run = async (scenarios) => {
  const [name, setup] = [process.argv[2], JSON.parse(process.argv[3])]
  try {
    console.log(JSON.stringify({ done: (await scenarios[name](setup)) ?? {} }))
    process.exit(0)
  } catch (error) {
    console.log(JSON.stringify({ failed: `${error?.stack ?? error} ${JSON.stringify(error?.cause ?? null)}` }))
    process.exit(1)
  }
}
