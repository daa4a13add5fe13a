/** A managed device as a double says what its tools call it. */
import type { AgentFrame, FrameOf } from '../../protocol/frame.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { type AgentDouble, type DoubleLink, DoubleSealer } from './agent-double.ts';

/** The batch that says it; call on a connected double. */
export function calledSo(agent: AgentDouble, ids: readonly string[]): FrameOf<AgentFrame, 'batch'> {
  const { chain } = agent;
  const group = agent.group('whole', 'host.name');
  const said = { ids: ids.map((id) => ({ tool: 'teamviewer', id })) };
  const sealed = new DoubleSealer(group, chain.log).seal(chain.log, chain.next, said);
  const { text } = chain.add('device.known', {}, [{ group: group.group as GroupId, c: sealed.c }]);
  return agent.batch([text], [sealed]);
}

/** Says it, and returns when it is stored. */
export async function says(agent: AgentDouble, link: DoubleLink, ...ids: string[]): Promise<void> {
  link.send(calledSo(agent, ids));
  await link.ackThrough(agent.chain.next - 1);
}
