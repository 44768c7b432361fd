// Anthropic's Node SDK as an application uses it. Job (JSON) on the command line, result (JSON) on standard output.
import Anthropic from "@anthropic-ai/sdk";

const job = JSON.parse(process.argv[2]);
const client = new Anthropic({ apiKey: job.key, baseURL: job.url });
const ask = { max_tokens: 99, system: "Be brief.", messages: [{ role: "user", content: "How high is the wäter?" }] };
const schema = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
const tools = [{ name: "get_weather", input_schema: schema }];
const calls = (message) => message.content.filter((block) => block.type === "tool_use").map((block) => [block.id, block.name, block.input]);

const jobs = {
  async text(model) {
    const whole = await client.messages.create({ model, ...ask });
    const stream = client.messages.stream({ model, ...ask });
    let pieces = 0;
    stream.on("text", () => { pieces += 1; });
    const folded = await stream.finalMessage();
    return { whole: whole.content[0].text, streamed: folded.content[0].text, pieces, usage: folded.usage };
  },
  async tools(model) {
    const whole = await client.messages.create({ model, ...ask, tools });
    const folded = await client.messages.stream({ model, ...ask, tools }).finalMessage();
    return { whole: calls(whole), folded: calls(folded), reason: folded.stop_reason };
  },
  async structured(model) {
    const reply = await client.messages.create({ model, ...ask, output_config: { format: { type: "json_schema", schema } } });
    return { parsed: JSON.parse(reply.content[0].text) };
  },
  async refused(model) {
    try {
      await client.messages.create({ model, ...ask });
    } catch (error) {
      return { name: error.constructor.name, status: error.status, retryAfter: error.headers.get("retry-after") };
    }
    return { name: "none" };
  },
};

const results = {};
for (const model of job.models) results[model] = await jobs[job.what](model);
console.log(JSON.stringify(results));
