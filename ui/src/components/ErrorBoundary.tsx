import { Component, type ReactNode } from "react";
import { Failed } from "./States";

/* One broken panel or page does not take the others with it. */
export class ErrorBoundary extends Component<{ what: string; children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return <Failed error={this.state.error} what={this.props.what} retry={() => this.setState({ error: null })} />;
  }
}
