import { Empty } from "../parts/basic";
export function Screen() {
  return <Empty title="triggers" />;
}
